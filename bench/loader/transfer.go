package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"time"
)

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(buffer []byte) (int, error) {
	clear(buffer)
	return len(buffer), nil
}

// client is an HTTP client with one connection of its own.
func client(to target, http2 bool) *http.Client {
	transport := &http.Transport{
		TLSClientConfig: to.tlsConfig(),
		MaxConnsPerHost: 1,
		ReadBufferSize:  64 << 10,
		WriteBufferSize: 64 << 10,
		Protocols:       new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	return &http.Client{Transport: transport, Timeout: 120 * time.Second}
}

// transfer moves large bodies one after the other over one connection, down or up.
func transfer(args []string) (any, error) {
	var to target
	set := flag.NewFlagSet("transfer", flag.ExitOnError)
	to.flags(set)
	http2 := set.Bool("h2", false, "over HTTP/2")
	up := set.Bool("up", false, "send instead of receive")
	bytes := set.Int64("bytes", 100_000_000, "size of one body")
	count := set.Int("count", 5, "how many")
	_ = set.Parse(args)
	result := &counts{}
	browser := client(to, *http2)
	for range *count {
		if err := transferOne(browser, to, *http2, *up, *bytes); err != nil {
			result.failed(err)
		} else {
			result.done(1)
		}
	}
	return result, nil
}

func transferOne(browser *http.Client, to target, http2, up bool, bytes int64) error {
	method, body := http.MethodGet, io.Reader(nil)
	if up {
		method, body = http.MethodPost, io.LimitReader(zeros{}, bytes)
	}
	request, err := http.NewRequest(method, "https://"+to.address+to.path, body)
	if err != nil {
		return err
	}
	request.Host = to.host()
	if up {
		request.ContentLength = bytes
		request.Header.Set("Content-Type", "application/octet-stream")
	}
	response, err := browser.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	if (response.ProtoMajor == 2) != http2 {
		return fmt.Errorf("it spoke %s", response.Proto)
	}
	if up {
		answer, err := io.ReadAll(response.Body)
		if want := fmt.Sprintf(`{"bytes":%d}`, bytes); err == nil && string(answer) != want {
			err = fmt.Errorf("the backend says %s", answer)
		}
		return err
	}
	got, err := io.Copy(io.Discard, response.Body)
	if err == nil && got != bytes {
		err = fmt.Errorf("%d bytes came", got)
	}
	return err
}
