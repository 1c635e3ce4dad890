package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// readBuffer is the size of one read of a list. A larger buffer is not faster.
const readBuffer = 256 << 10

// Floor returns the CPU time in seconds for reading and discarding all lists of the cluster. An exporter that
// receives all objects needs at least that, even if its shard is small. It works only on Linux.
func Floor(ctx context.Context, cluster *simulator.Cluster) (float64, error) {
	server, err := cluster.Serve("")
	if err != nil {
		return 0, err
	}
	defer server.Stop()
	runtime.LockOSThread() // no other goroutine uses CPU of this thread
	defer runtime.UnlockOSThread()
	transport := &http.Transport{ReadBufferSize: readBuffer}
	defer transport.CloseIdleConnections()
	client, buf := &http.Client{Transport: transport}, make([]byte, readBuffer)
	before, err := threadCPU()
	if err != nil {
		return 0, err
	}
	for _, kind := range simulator.Kinds() {
		group := "/apis/" + kind.Group
		if kind.Group == "" {
			group = "/api"
		}
		if err := discard(ctx, client, strings.Join([]string{server.URL() + group, kind.Version, kind.Resource}, "/"), buf); err != nil {
			return 0, fmt.Errorf("list %s: %w", kind.Resource, err)
		}
	}
	after, err := threadCPU()
	return after - before, err
}

// discard reads a list and discards it.
func discard(ctx context.Context, client *http.Client, url string, buf []byte) error {
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
		return fmt.Errorf("got status %s, want 200", response.Status)
	}
	for err == nil {
		_, err = response.Body.Read(buf)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// threadCPU returns the CPU time of this thread in seconds; see scheduler/sched-stats in the kernel's documentation.
func threadCPU() (seconds float64, err error) {
	stat, err := os.ReadFile("/proc/thread-self/schedstat")
	if err == nil {
		_, err = fmt.Sscan(string(stat), &seconds)
	}
	return seconds / 1e9, err
}
