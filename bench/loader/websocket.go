package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// websocket sends messages over several connections and waits for the echo of each; a request is a message and its echo.
func websocket(args []string) (any, error) {
	var to target
	set := flag.NewFlagSet("websocket", flag.ExitOnError)
	to.flags(set)
	seconds := set.Float64("seconds", 2, "how long")
	connections := set.Int("connections", 20, "connections")
	size := set.Int("size", 128, "bytes of a message")
	_ = set.Parse(args)
	result := &counts{}
	deadline := time.Now().Add(time.Duration(*seconds * float64(time.Second)))
	var group sync.WaitGroup
	for range *connections {
		group.Go(func() {
			if err := echoes(to, *size, deadline, result); err != nil {
				result.failed(err)
			}
		})
	}
	group.Wait()
	return result, nil
}

func echoes(to target, size int, deadline time.Time, result *counts) error {
	socket, err := to.dial()
	if err != nil {
		return err
	}
	connection := tls.Client(socket, to.tlsConfig())
	defer connection.Close()
	if err := connection.SetDeadline(deadline.Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", to.path, to.host()); err != nil {
		return err
	}
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	message := bytes.Repeat([]byte{'m'}, size)
	sent := frame(1, message, true)
	// One at least, however late it has become.
	for first := true; first || time.Now().Before(deadline); first = false {
		if _, err := connection.Write(sent); err != nil {
			return err
		}
		_, echo, err := readFrame(reader)
		if err != nil {
			return err
		}
		if !bytes.Equal(echo, message) {
			return errors.New("the echo is not what was sent")
		}
		result.done(1)
	}
	return nil
}
