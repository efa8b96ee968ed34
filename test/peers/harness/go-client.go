// Asks a server the same things many times at once over one connection of Go's net/http, and prints what it saw as JSON.
// Usage: go-client CA.pem BASE-URL COUNT
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

type seen struct {
	Proto  string `json:"proto"`
	Status int    `json:"status"`
	Body   string `json:"body"`
}

func main() {
	pem, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := http.Client{
		Timeout:   60 * time.Second,
		Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}},
	}
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	all := make([]seen, count)
	var group sync.WaitGroup
	for i := range all {
		group.Add(1)
		go func() {
			defer group.Done()
			method, body := "GET", []byte(nil)
			if i%2 == 1 {
				method, body = "PUT", bytes.Repeat([]byte{byte(i)}, i*1000)
			}
			// Hides the length of every fourth body, so that it goes without content-length.
			var reader io.Reader = bytes.NewReader(body)
			if i%4 == 3 {
				reader = io.MultiReader(reader)
			}
			request, err := http.NewRequest(method, fmt.Sprintf("%s/%d", os.Args[2], i), reader)
			if err != nil {
				panic(err)
			}
			response, err := client.Do(request)
			if err != nil {
				all[i] = seen{Body: err.Error()}
				return
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil {
				text = []byte(err.Error())
			}
			all[i] = seen{response.Proto, response.StatusCode, string(text)}
		}()
	}
	group.Wait()
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		panic(err)
	}
}
