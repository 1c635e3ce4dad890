package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// liveHeap has the replica collect its garbage twice, of which the second time frees what pools have kept, and returns
// the bytes that are left. They are read before the profile that the request is for: writing it leaves garbage
// behind, and the more so the more places have ever been seen to allocate.
func liveHeap(ctx context.Context, s *fleet.Shard) (float64, error) {
	if _, err := collected(ctx, s); err != nil {
		return 0, err
	}
	return collected(ctx, s)
}

func collected(ctx context.Context, s *fleet.Shard) (live float64, err error) {
	url := strings.TrimSuffix(s.Telemetry, "/metrics") + "/debug/pprof/heap?gc=1&debug=1"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	live, err = heapAlloc(resp.Body)
	return live, errors.Join(err, resp.Body.Close())
}

// heapAlloc finds the figure among those of runtime.MemStats that end a heap profile in text.
func heapAlloc(profile io.Reader) (float64, error) {
	text, err := io.ReadAll(profile)
	if err != nil {
		return 0, err
	}
	_, after, found := strings.Cut(string(text), "\n# HeapAlloc = ")
	if !found {
		return 0, errors.New("the heap profile does not say how much is allocated")
	}
	figure, _, _ := strings.Cut(after, "\n")
	return strconv.ParseFloat(figure, 64)
}
