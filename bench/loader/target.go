package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// target is whom a client talks to.
type target struct {
	address string
	name    string
	path    string
}

func (t *target) flags(set *flag.FlagSet) {
	set.StringVar(&t.address, "address", "", "host:port to connect to")
	set.StringVar(&t.name, "name", "localhost", "name for SNI and Host")
	set.StringVar(&t.path, "path", "/", "request target")
}

// tlsConfig trusts everybody: whether the certificate is right was checked before anything is timed. X25519 alone, so that
// all contenders do the same key exchange.
func (t *target) tlsConfig() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true,
		ServerName:         t.name,
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.X25519},
	}
}

// dial connects by TCP, with a bound on everything that follows.
func (t *target) dial() (net.Conn, error) {
	return net.DialTimeout("tcp", t.address, 20*time.Second)
}

// host is the Host field: the name with the port, as clients of a port other than 443 send it.
func (t *target) host() string {
	_, port, err := net.SplitHostPort(t.address)
	if err != nil {
		return t.name
	}
	return net.JoinHostPort(t.name, port)
}

// readAnswer reads one response to its end and fails when it is not 200.
func readAnswer(reader *bufio.Reader) error {
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

// readPlainAnswer is readAnswer for small answers with a Content-Length, without what net/http allocates: at a fixed rate the
// client's own time counts.
func readPlainAnswer(reader *bufio.Reader) error {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("not a 200: %.40q", line)
	}
	length := -1
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		const name = "content-length:"
		if len(line) > len(name) && strings.EqualFold(string(line[:len(name)]), name) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(name):]))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer without Content-Length")
	}
	_, err = reader.Discard(length)
	return err
}
