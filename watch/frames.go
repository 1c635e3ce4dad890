package watch

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/statefleet/statefleet/internal/wire"
)

// frameSilence is how long a frame that has begun may bring nothing more. API servers
// write a frame at once, so that one which does not go on has a length that is wrong,
// and what is waited for are events to come: they would be taken for the rest of it.
const frameSilence = 30 * time.Second

// errFrameSilent is why a watch is ended by itself.
var errFrameSilent = errors.New("a frame of the watch has begun and does not go on")

// frames are what a stream reads from. A reflector keeps the watch that streamed its
// list for as long as it goes on without another one, also when that watch has long
// ended and others came after it, so a stream lets go of them, which are most of it.
type frames struct {
	events *wire.EventReader
	body   io.Closer
}

// newFrames returns the frames in body. cut has to end the body; heard is called for
// whatever comes, which may be many frames.
func newFrames(form wire.Form, body io.ReadCloser, read io.Reader, heard func(), cut context.CancelCauseFunc) *frames {
	r := &frameReader{Reader: read, heard: heard, timer: time.AfterFunc(frameSilence, func() { cut(errFrameSilent) })}
	r.timer.Stop()
	f := &frames{form.NewEventReader(r), body}
	r.within = f.events.Within
	return f
}

// frameReader does not wait for ever for the rest of a frame.
type frameReader struct {
	io.Reader
	within func() bool
	heard  func()
	timer  *time.Timer
}

// Read implements io.Reader.
func (r *frameReader) Read(p []byte) (int, error) {
	if r.within() {
		r.timer.Reset(frameSilence)
		defer r.timer.Stop()
	}
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.heard()
	}
	return n, err
}
