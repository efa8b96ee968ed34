package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// idle opens connections with one pending request each, or with many streams each, says so in a line of JSON, and keeps them
// until its standard input ends. An answer before that is an error: the request was meant to wait.
func idle(args []string) (any, error) {
	var to target
	set := flag.NewFlagSet("idle", flag.ExitOnError)
	to.flags(set)
	connections := set.Int("connections", 5000, "connections")
	streams := set.Int("streams", 0, "streams per connection over HTTP/2; 0: HTTP/1.1")
	_ = set.Parse(args)
	result := &counts{}
	var opened sync.WaitGroup
	gate := make(chan struct{}, 32)
	for range *connections {
		gate <- struct{}{}
		opened.Go(func() {
			defer func() { <-gate }()
			var err error
			if *streams == 0 {
				err = pollOne(to, result)
			} else {
				pollMany(to, *streams, result)
			}
			if err != nil {
				result.failed(err)
			}
		})
	}
	opened.Wait()
	// Everything is sent; the backend has it a moment later.
	time.Sleep(time.Second)
	if err := result.print(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := result.print(); err != nil {
			return nil, err
		}
	}
	return map[string]string{"state": "ended"}, lines.Err()
}

func pollOne(to target, result *counts) error {
	socket, err := to.dial()
	if err != nil {
		return err
	}
	connection := tls.Client(socket, to.tlsConfig())
	if err := connection.Handshake(); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", to.path, to.host()); err != nil {
		return err
	}
	result.done(1)
	go func() {
		_, err := bufio.NewReader(connection).ReadByte()
		result.failed(fmt.Errorf("a connection did not stay: %w", orAnswered(err)))
	}()
	return nil
}

func pollMany(to target, streams int, result *counts) {
	browser := client(to, true)
	browser.Timeout = 0
	for number := range streams {
		result.done(1)
		go func() {
			request, err := http.NewRequest(http.MethodGet, "https://"+to.address+to.path, nil)
			if err == nil {
				request.Host = to.host()
				var response *http.Response
				if response, err = browser.Do(request); err == nil {
					err = orAnswered(nil)
					response.Body.Close()
				}
			}
			result.failed(fmt.Errorf("a stream did not stay: %w", err))
		}()
		if number == 0 {
			// The first one opens the connection that the others share.
			time.Sleep(20 * time.Millisecond)
		}
	}
}

func orAnswered(err error) error {
	if err == nil {
		return errors.New("it was answered")
	}
	return err
}
