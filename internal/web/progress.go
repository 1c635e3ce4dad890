package web

import (
	"net/http"
	"time"
)

// progressBytes is how much of a response a client must read in each Timeouts.Stall: 13 KiB/s with the
// default.
const progressBytes = 64 << 10

// endStalled ends responses of which the client does not read progressBytes within stall, and requests
// with a body that does not arrive within stall. The write timeout limits the whole response.
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
			// No handler reads a body, but the server reads the rest of it before it reuses the connection.
			_ = p.control.SetReadDeadline(time.Now().Add(stall)) // fails only without a connection
		}
		next.ServeHTTP(p, r)
		p.begin() // the server flushes its buffers
	})
}

// progressWriter is a response whose writes fail when the client stops reading.
type progressWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	until   time.Time // deadline of the whole response; zero: none
}

// Write implements io.Writer. The stall deadline applies only during a write: the time that a handler
// takes between two writes does not count.
func (p *progressWriter) Write(b []byte) (written int, err error) {
	for {
		n := min(len(b), progressBytes)
		p.begin()
		m, err := p.ResponseWriter.Write(b[:n])
		written += m
		if b = b[n:]; err != nil || len(b) == 0 {
			_ = p.control.SetWriteDeadline(p.until) // fails only without a connection
			return written, err
		}
	}
}

func (p *progressWriter) begin() {
	deadline := time.Now().Add(p.stall)
	if !p.until.IsZero() && p.until.Before(deadline) {
		deadline = p.until
	}
	_ = p.control.SetWriteDeadline(deadline) // fails only without a connection
}

// SetWriteDeadline sets the deadline of the whole response, for [http.ResponseController]: the handler
// of profiles needs more time than the write timeout.
func (p *progressWriter) SetWriteDeadline(t time.Time) error {
	p.until = t
	return p.control.SetWriteDeadline(t)
}

// Unwrap is for [http.ResponseController].
func (p *progressWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }
