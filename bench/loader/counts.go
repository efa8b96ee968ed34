package main

import (
	"encoding/json"
	"os"
	"sync"
)

// counts is what most clients report: how much was done, and what went wrong.
type counts struct {
	Requests int    `json:"requests"`
	Errors   int    `json:"errors"`
	First    string `json:"firstError,omitempty"`
	mutex    sync.Mutex
}

func (c *counts) done(n int) {
	c.mutex.Lock()
	c.Requests += n
	c.mutex.Unlock()
}

func (c *counts) failed(err error) {
	c.mutex.Lock()
	if c.First == "" {
		c.First = err.Error()
	}
	c.Errors++
	c.mutex.Unlock()
}

// print says how things stand, in a line.
func (c *counts) print() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return json.NewEncoder(os.Stdout).Encode(c)
}
