package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"time"
)

// handshakes opens connection after connection, each with one GET, full handshakes or resumed ones. Names with %d are
// counted through, so that many sites get their share.
func handshakes(args []string) (any, error) {
	var to target
	set := flag.NewFlagSet("handshakes", flag.ExitOnError)
	to.flags(set)
	seconds := set.Float64("seconds", 2, "how long")
	workers := set.Int("workers", 4, "connections at one time")
	resume := set.Bool("resume", false, "resume the session of the connection before")
	sites := set.Int("sites", 1, "how many names, when the name has %d")
	_ = set.Parse(args)
	result := &counts{}
	deadline := time.Now().Add(time.Duration(*seconds * float64(time.Second)))
	var group sync.WaitGroup
	for worker := range *workers {
		group.Go(func() {
			var cache tls.ClientSessionCache
			if *resume {
				cache = tls.NewLRUClientSessionCache(4)
			}
			first := true
			for turn := worker; time.Now().Before(deadline); turn += *workers {
				one := to
				if strings.Contains(to.name, "%d") {
					// A prime stride: neighbours in time are no neighbours in the config.
					one.name = fmt.Sprintf(to.name, (turn*7919)%*sites)
				}
				if err := handshake(one, cache, *resume && !first); err != nil {
					result.failed(err)
				} else {
					result.done(1)
				}
				first = false
			}
		})
	}
	group.Wait()
	return result, nil
}

func handshake(to target, cache tls.ClientSessionCache, mustResume bool) error {
	socket, err := to.dial()
	if err != nil {
		return err
	}
	config := to.tlsConfig()
	config.ClientSessionCache = cache
	connection := tls.Client(socket, config)
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if err := connection.Handshake(); err != nil {
		return err
	}
	if mustResume && !connection.ConnectionState().DidResume {
		return errors.New("the session was not resumed")
	}
	if _, err := fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", to.path, to.host()); err != nil {
		return err
	}
	return readAnswer(bufio.NewReader(connection))
}
