package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"
)

type latencies struct {
	*counts
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Worst float64 `json:"worst"`
	// Late is the 99th percentile of how long after its time a request left: the loader's own part of the figures above.
	Late float64 `json:"late"`
	// Seconds it really took: more than it was told when the contender cannot carry the rate.
	Seconds float64 `json:"seconds"`
}

// poised is a connection with at most one request under way.
type poised struct {
	*tls.Conn
	reader *bufio.Reader
	due    time.Time
}

// rate sends requests at fixed times, whether earlier ones were answered or not, and measures from the time each was due: a
// proxy that stalls cannot slow the clients down and so hide its stall. Latencies in milliseconds.
func rate(args []string) (any, error) {
	var to target
	set := flag.NewFlagSet("rate", flag.ExitOnError)
	to.flags(set)
	seconds := set.Float64("seconds", 5, "how long")
	perSecond := set.Float64("rate", 1000, "requests a second")
	connections := set.Int("connections", 64, "connections")
	wait := set.Bool("wait", false, "say when all connections are open, and start at a line on standard input")
	_ = set.Parse(args)
	// One thread sleeps in the kernel, one or two others read.
	runtime.GOMAXPROCS(3)
	// A collection would be a stall of ours; a run leaves some ten megabytes of garbage.
	debug.SetGCPercent(-1)
	result := latencies{counts: &counts{}}
	total := int(*seconds * *perSecond)
	took := make([]float64, 0, total)
	late := make([]float64, 0, total)
	var mutex sync.Mutex
	idle := make(chan *poised, *connections)
	broken := make(chan error, *connections)
	opened, err := openMany(to, *connections)
	if err != nil {
		return nil, err
	}
	for _, connection := range opened {
		defer connection.Close()
		go func() {
			for {
				idle <- connection
				if err := readPlainAnswer(connection.reader); err != nil {
					broken <- err
					return
				}
				elapsed := time.Since(connection.due)
				mutex.Lock()
				took = append(took, elapsed.Seconds()*1000)
				mutex.Unlock()
			}
		}()
	}
	if *wait {
		// Whoever measures what the requests cost does not want to measure the handshakes.
		fmt.Println(`{"state":"open"}`)
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			return nil, err
		}
	}
	request := []byte(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", to.path, to.host()))
	runtime.LockOSThread()
	begin := time.Now().Add(50 * time.Millisecond)
	started := time.Now()
	for number := range total {
		due := begin.Add(time.Duration(float64(number) / *perSecond * float64(time.Second)))
		sleepUntil(due)
		late = append(late, time.Since(due).Seconds()*1000)
		var connection *poised
		select {
		case connection = <-idle:
		case err := <-broken:
			return nil, err
		case <-time.After(20 * time.Second):
			return nil, errors.New("no answer for 20 s")
		}
		connection.due = due
		if _, err := connection.Write(request); err != nil {
			return nil, err
		}
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		mutex.Lock()
		count := len(took)
		mutex.Unlock()
		if count == total {
			break
		}
	}
	result.Seconds = time.Since(started).Seconds()
	mutex.Lock()
	defer mutex.Unlock()
	result.Requests, result.Errors = len(took), total-len(took)
	if len(took) == 0 {
		return nil, errors.New("nothing was answered")
	}
	slices.Sort(took)
	slices.Sort(late)
	result.P50, result.P99, result.P999 = quantile(took, 0.5), quantile(took, 0.99), quantile(took, 0.999)
	result.Worst, result.Late = took[len(took)-1], quantile(late, 0.99)
	return result, nil
}

func quantile(sorted []float64, share float64) float64 {
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// sleepUntil sleeps in the kernel: Go's own timers are rounded up to a millisecond while the program waits for sockets.
func sleepUntil(due time.Time) {
	if wait := time.Until(due); wait > 0 {
		span := syscall.NsecToTimespec(wait.Nanoseconds())
		_ = syscall.Nanosleep(&span, nil)
	}
}

// openMany opens connections, a few at a time.
func openMany(to target, count int) ([]*poised, error) {
	opened := make([]*poised, count)
	failures := make(chan error, count)
	gate := make(chan struct{}, 16)
	var group sync.WaitGroup
	for index := range count {
		gate <- struct{}{}
		group.Go(func() {
			defer func() { <-gate }()
			connection, err := openPoised(to)
			if err != nil {
				failures <- err
			}
			opened[index] = connection
		})
	}
	group.Wait()
	select {
	case err := <-failures:
		return nil, err
	default:
		return opened, nil
	}
}

func openPoised(to target) (*poised, error) {
	socket, err := to.dial()
	if err != nil {
		return nil, err
	}
	connection := tls.Client(socket, to.tlsConfig())
	if err := connection.Handshake(); err != nil {
		return nil, err
	}
	return &poised{Conn: connection, reader: bufio.NewReader(connection)}, nil
}
