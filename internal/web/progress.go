package web

import (
	"net/http"
	"time"
)

// progressBytes is what a client must take of a response in each Timeouts.Stall, so 13 KiB/s with the default.
const progressBytes = 64 << 10

// endStalled ends responses that make no progress: those of which the client does not take progressBytes within
// stall, and requests with a body of which nothing arrives within stall. The write timeout bounds a response as a
// whole.
func endStalled(next http.Handler, stall, write time.Duration) http.Handler {
	if stall == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &progressWriter{ResponseWriter: w, control: http.NewResponseController(w), stall: stall}
		if write > 0 {
			p.until = time.Now().Add(write)
		}
		if r.ContentLength != 0 {
			// No handler reads a body, but the server reads what is left of it before it uses the connection again.
			_ = p.control.SetReadDeadline(time.Now().Add(stall)) // without a connection there is nothing to wait for
		}
		next.ServeHTTP(p, r)
		p.begin() // the server sends what is left in its buffers
	})
}

// progressWriter is a response that fails when its client stops reading.
type progressWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	until   time.Time // zero: no bound on the whole response
}

// Write implements io.Writer. The deadline holds only while something is being written: a handler that takes its time
// between two writes does not make its client late.
func (p *progressWriter) Write(b []byte) (written int, err error) {
	for {
		n := min(len(b), progressBytes)
		p.begin()
		m, err := p.ResponseWriter.Write(b[:n])
		written += m
		if b = b[n:]; err != nil || len(b) == 0 {
			_ = p.control.SetWriteDeadline(p.until) // fails without a connection only
			return written, err
		}
	}
}

func (p *progressWriter) begin() {
	deadline := time.Now().Add(p.stall)
	if !p.until.IsZero() && p.until.Before(deadline) {
		deadline = p.until
	}
	_ = p.control.SetWriteDeadline(deadline) // fails without a connection only
}

// SetWriteDeadline implements [http.ResponseController]'s: a handler that needs more time than the write timeout,
// such as that of profiles, moves the bound on the whole response.
func (p *progressWriter) SetWriteDeadline(t time.Time) error {
	p.until = t
	return p.control.SetWriteDeadline(t)
}

// Unwrap implements what [http.ResponseController] looks for.
func (p *progressWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }
