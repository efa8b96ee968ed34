// Command loader is the part of the benchmark that must be fast and exact without costing much CPU of its own: clients that wrk
// and h2load cannot be, a backend for what nginx cannot answer, and certificates by the thousand.
//
// Every client prints one line of JSON on standard output. Standard library only.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// commands maps the first argument to what it does; a command reads its own flags.
var commands = map[string]func(args []string) (any, error){
	"backend":    backend,
	"certs":      certs,
	"handshakes": handshakes,
	"idle":       idle,
	"rate":       rate,
	"transfer":   transfer,
	"websocket":  websocket,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: loader backend|certs|handshakes|idle|rate|transfer|websocket [flags]")
		os.Exit(2)
	}
	result, err := commands[os.Args[1]](os.Args[2:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "loader %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		os.Exit(1)
	}
}
