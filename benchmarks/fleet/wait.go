package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// tick is the time between two attempts of Until.
const tick = 50 * time.Millisecond

// Until calls try until it returns nil. It gives up after patience, or at once if a process has ended
// ([EndedError]), and returns the last error of try.
func Until(ctx context.Context, patience time.Duration, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	last := errors.New("never tried")
	for {
		err := try(ctx)
		var ended *EndedError
		if err == nil || errors.As(err, &ended) {
			return err
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			last = err
		}
		if Pause(ctx, tick) != nil {
			return fmt.Errorf("not within %s: %s: %w", patience, what, last)
		}
	}
}

// Pause waits, or returns the error of ctx when that ends earlier.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Serve serves an API on a free port of loopback until stop is called.
func Serve(handler http.Handler) (url string, stop func(), err error) {
	listener, err := listen()
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with an error when it is closed
	}()
	return "http://" + listener.Addr().String(), func() {
		_ = server.Close()
		<-ended
	}, nil
}
