package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// readBuffer is what one read of a list asks for; more has brought nothing.
const readBuffer = 256 << 10

// reading returns the CPU time in seconds that it takes to read every list of the
// cluster and to do nothing with it. An exporter that is sent everything can't do with
// less, however little of it is its own.
func (b *bench) reading(ctx context.Context) (float64, error) {
	server, err := b.cluster.Serve("")
	if err != nil {
		return 0, err
	}
	defer server.Stop()
	runtime.LockOSThread() // this thread reads, and nothing else
	defer runtime.UnlockOSThread()
	transport := &http.Transport{ReadBufferSize: readBuffer}
	defer transport.CloseIdleConnections()
	client, buf := &http.Client{Transport: transport}, make([]byte, readBuffer)
	before, err := threadCPU()
	if err != nil {
		return 0, err
	}
	for _, kind := range simulator.Kinds() {
		if err := drop(ctx, client, server.URL()+pathOf(kind), buf); err != nil {
			return 0, fmt.Errorf("list %s: %w", kind.Resource, err)
		}
	}
	after, err := threadCPU()
	took := (after - before).Seconds()
	b.say("reading all lists and dropping them: %.3f CPU-s", took)
	return took, err
}

func pathOf(kind simulator.Kind) string {
	if kind.Group == "" {
		return "/api/" + kind.Version + "/" + kind.Resource
	}
	return "/apis/" + kind.Group + "/" + kind.Version + "/" + kind.Resource
}

// drop reads a list.
func drop(ctx context.Context, client *http.Client, url string, buf []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/vnd.kubernetes.protobuf")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	for err == nil {
		_, err = response.Body.Read(buf)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// threadCPU is the CPU time of this thread so far, see proc_pid_schedstat in the
// kernel's documentation.
func threadCPU() (time.Duration, error) {
	const file = "/proc/thread-self/schedstat"
	stat, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(stat), " ")
	nanoseconds, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return time.Duration(nanoseconds), nil
}
