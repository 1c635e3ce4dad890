package watch

import (
	"context"
	"errors"
	"io"
	"time"
)

// errSilent is why a list is given up on. A connection can live for ever
// without bringing anything, and whoever reads from it would wait as long.
var errSilent = errors.New("the API server has sent nothing for too long")

// silence ends a request that brings nothing for a while.
type silence struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	after  time.Duration
	over   bool // the list is complete, and what comes now may take any time
}

// endSilence returns the context for a request, and what its body is to be read through.
func endSilence(ctx context.Context, after time.Duration) (context.Context, *silence) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &silence{ctx: ctx, cancel: cancel, after: after}
	s.timer = time.AfterFunc(after, func() { cancel(errSilent) })
	return ctx, s
}

// because returns errSilent for an error that came of it.
func (s *silence) because(err error) error {
	if err != nil && errors.Is(context.Cause(s.ctx), errSilent) {
		return errSilent
	}
	return err
}

// Read implements io.Reader.
func (s *silence) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if !s.over {
		s.timer.Reset(s.after)
	}
	return n, s.because(err)
}

// listed lets a watch be silent, once it has streamed its list. It is for the reader to call.
func (s *silence) listed() {
	s.over = true
	s.timer.Stop()
}

// end forgets the request.
func (s *silence) end() {
	s.timer.Stop()
	s.cancel(nil)
}

// Close implements io.Closer.
func (s *silence) Close() error {
	defer s.end()
	return s.ReadCloser.Close()
}
