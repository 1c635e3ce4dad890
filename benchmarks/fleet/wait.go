package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// pollInterval is the pause between two calls of try in Until.
const pollInterval = 50 * time.Millisecond

// Until calls try until it returns nil. It returns an error with the last error of try after timeout or
// when ctx ends, and at once if try returns an [EndedError]. what names the condition in the error.
func Until(ctx context.Context, timeout time.Duration, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
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
		if Pause(ctx, pollInterval) != nil {
			return fmt.Errorf("condition not met within %s: %s: %w", timeout, what, last)
		}
	}
}

// Pause waits for d. If ctx ends earlier, it returns the error of ctx.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Serve serves handler on a free port of the loopback address until stop is called.
func Serve(handler http.Handler) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(Loopback, "0")) //nolint:noctx // does not block
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // always returns an error
	}()
	return "http://" + listener.Addr().String(), func() {
		_ = server.Close()
		<-ended
	}, nil
}
