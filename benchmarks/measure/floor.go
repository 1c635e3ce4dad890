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

// readBuffer is the size of one read of a list; more has brought nothing.
const readBuffer = 256 << 10

// Floor returns the CPU time in seconds that it takes to read every list of the cluster and to drop it.
// An exporter that is sent everything needs at least that, however small its shard is.
func Floor(ctx context.Context, cluster *simulator.Cluster) (float64, error) {
	server, err := cluster.Serve("")
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
		group := "/apis/" + kind.Group
		if kind.Group == "" {
			group = "/api"
		}
		if err := drop(ctx, client, strings.Join([]string{server.URL() + group, kind.Version, kind.Resource}, "/"), buf); err != nil {
			return 0, fmt.Errorf("list %s: %w", kind.Resource, err)
		}
	}
	after, err := threadCPU()
	return after - before, err
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

// threadCPU is the CPU time of this thread so far, in seconds; see proc_pid_schedstat in the kernel's documentation.
func threadCPU() (seconds float64, err error) {
	stat, err := os.ReadFile("/proc/thread-self/schedstat")
	if err == nil {
		_, err = fmt.Sscan(string(stat), &seconds)
	}
	return seconds / 1e9, err
}
