package watch

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/faketime"

	"github.com/statefleet/statefleet/internal/wire"
)

// waited reads a frame from what send sends, and returns how long that took and how it ended.
func waited(t *testing.T, send func(w io.Writer)) (took time.Duration, why, err error) {
	t.Helper()
	r, w := io.Pipe()
	ctx, cut := context.WithCancelCause(t.Context())
	defer context.AfterFunc(ctx, func() { _ = r.CloseWithError(ctx.Err()) })() // as connections do
	f := newFrames(wire.Form{}, r, r, func() {}, cut)
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		defer func() { _ = w.Close() }()
		send(w)
	})
	start := time.Now()
	_, err = f.events.Next()
	return time.Since(start), context.Cause(ctx), err
}

// TestWhateverComesIsHeard: also half a frame says that the API server is there, and its end does not.
func TestWhateverComesIsHeard(t *testing.T) {
	t.Parallel()
	heard := 0
	_, cut := context.WithCancelCause(t.Context())
	defer cut(nil)
	half := io.NopCloser(strings.NewReader("\x00\x00\x00\x7fhalf"))
	if _, err := newFrames(wire.Form{}, half, half, func() { heard++ }, cut).events.Next(); !errors.Is(err, io.ErrUnexpectedEOF) || heard != 1 {
		t.Errorf("heard %d times, error %v", heard, err)
	}
}

func TestFrameThatDoesNotGoOnEndsTheWatch(t *testing.T) {
	begin := binary.BigEndian.AppendUint32(nil, 100) // what there is of it is no event
	f := func(name string, want error, send func(w io.Writer)) {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				took, why, err := waited(t, send)
				if !errors.Is(why, want) || err == nil {
					t.Errorf("after %s: %v, because of %v", took, err, why)
				}
				if want != nil && took != frameSilence {
					t.Errorf("ended after %s", took)
				}
			})
		})
	}
	f("stuck", errFrameSilent, func(w io.Writer) {
		_, _ = w.Write(append(begin, "some"...))
		time.Sleep(10 * frameSilence)
	})
	f("slow", nil, func(w io.Writer) {
		_, _ = w.Write(begin)
		for range 100 {
			time.Sleep(frameSilence / 2)
			_, _ = w.Write([]byte{0xff})
		}
	})
	f("nothing for an hour", nil, func(w io.Writer) {
		time.Sleep(time.Hour)
		_, _ = w.Write(binary.BigEndian.AppendUint32(nil, 0))
	})
}

// What a frame that does not go on has swallowed comes again with the next watch.
func TestWatchGoesOnAfterASilentFrame(t *testing.T) {
	t.Parallel()
	source, _ := newWorld(t, simulator.Options{}).source(setup{})
	ctx, cut := context.WithCancelCause(t.Context())
	d := &stream{source: source, ctx: ctx}
	cut(errFrameSilent)
	if err := d.failed(context.Canceled); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, with which client-go would list anew", err)
	}
}
