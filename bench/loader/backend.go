package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// backend is a homeserver for what nginx cannot answer: long polls that wait until the client goes, bodies that are read to
// their end before the answer, WebSocket echoes, downloads of any size. It says where it listens, then serves until killed.
func backend(args []string) (any, error) {
	set := flag.NewFlagSet("backend", flag.ExitOnError)
	address := set.String("listen", "127.0.0.1:0", "address")
	_ = set.Parse(args)
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return nil, err
	}
	fmt.Printf("{\"port\":%d}\n", listener.Addr().(*net.TCPAddr).Port)
	return nil, http.Serve(listener, http.HandlerFunc(answer))
}

func answer(writer http.ResponseWriter, request *http.Request) {
	switch {
	case strings.EqualFold(request.Header.Get("Upgrade"), "websocket"):
		echo(writer, request)
	case strings.HasSuffix(request.URL.Path, "/sync"):
		<-request.Context().Done()
	case request.Method == http.MethodGet:
		download(writer, request)
	default:
		count, err := io.Copy(io.Discard, request.Body)
		if err != nil {
			return
		}
		writer.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(writer, `{"bytes":%d}`, count)
	}
}

var block = make([]byte, 256<<10)

// download answers with as many bytes as the query's `bytes` says.
func download(writer http.ResponseWriter, request *http.Request) {
	left, err := strconv.ParseInt(request.URL.Query().Get("bytes"), 10, 64)
	if err != nil {
		writer.WriteHeader(http.StatusNotFound)
		return
	}
	writer.Header().Set("Content-Type", "application/octet-stream")
	writer.Header().Set("Content-Length", strconv.FormatInt(left, 10))
	for left > 0 {
		size := min(left, int64(len(block)))
		if _, err := writer.Write(block[:size]); err != nil {
			return
		}
		left -= size
	}
}

func echo(writer http.ResponseWriter, request *http.Request) {
	connection, buffered, err := writer.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer connection.Close()
	// RFC 6455 §4.2.2.
	digest := sha1.Sum([]byte(request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = fmt.Fprintf(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(digest[:]))
	if err != nil {
		return
	}
	echoFrames(connection, buffered.Reader)
}

func echoFrames(connection net.Conn, reader *bufio.Reader) {
	for {
		opcode, payload, err := readFrame(reader)
		if err != nil || opcode == 8 {
			return
		}
		if _, err := connection.Write(frame(opcode, payload, false)); err != nil {
			return
		}
	}
}
