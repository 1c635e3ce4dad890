package simulator

import (
	"bufio"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// answer is the body of one response. A client that takes no data for
// stalledAfter is cut off.
type answer struct {
	*bufio.Writer
	to         http.ResponseWriter
	controller *http.ResponseController
	counts     counts // empty outside of resources
	form       form
	started    bool
}

const (
	answerBuffer = 64 << 10
	stalledAfter = 30 * time.Second
)

// answerPool recycles the buffers of short requests; watches return theirs
// when they end.
type answerPool struct{ buffers sync.Pool }

func (p *answerPool) begin(w http.ResponseWriter) *answer {
	a := &answer{to: w, controller: http.NewResponseController(w), form: jsonForm{}}
	buffer, ok := p.buffers.Get().(*bufio.Writer)
	if !ok {
		buffer = bufio.NewWriterSize(nil, answerBuffer)
	}
	buffer.Reset(bodyWriter{a})
	a.Writer = buffer
	return a
}

// end sends what is left. The deadline is renewed for what net/http itself
// still has to write.
func (p *answerPool) end(a *answer) {
	_ = a.Flush() // nothing can be told to a client that is gone
	a.extendDeadline()
	a.Reset(nil)
	p.buffers.Put(a.Writer)
}

func (a *answer) extendDeadline() {
	// Recorders in tests have no deadlines.
	_ = a.controller.SetWriteDeadline(time.Now().Add(stalledAfter))
}

// head sends status and content type.
func (a *answer) head(code int, mediaType string) {
	a.started = true
	a.to.Header().Set("Content-Type", mediaType)
	a.to.Header().Set("Cache-Control", "no-cache, private")
	a.to.WriteHeader(code)
}

// push sends everything written so far to the client.
func (a *answer) push() error {
	if err := a.Flush(); err != nil {
		return err
	}
	a.extendDeadline()
	return a.controller.Flush()
}

// message answers with one document.
func (a *answer) message(code int, gvk schema.GroupVersionKind, m message) error {
	a.head(code, a.form.mediaType())
	return a.form.writeMessage(a.Writer, gvk, m)
}

// object answers a get.
func (a *answer) object(from *collection, key objectKey) error {
	o := from.get(key)
	if o == nil {
		return apierrors.NewNotFound(from.kind.groupResource(), key.name)
	}
	a.head(http.StatusOK, a.form.mediaType())
	return a.form.writeObject(a.Writer, from.kind, o)
}

// list answers a list.
func (a *answer) list(from *collection, selected selector, options metainternalversion.ListOptions) error {
	page, err := from.list(selected, options)
	if err != nil {
		return err
	}
	a.head(http.StatusOK, a.form.mediaType())
	return a.form.writeList(a.Writer, from.kind, page.meta, page.items)
}

// fail answers with the status of err, unless the answer has begun: then the
// client sees it end early.
func (a *answer) fail(err error) {
	if a.started {
		return
	}
	status := asStatus(err)
	if details := status.Details; details != nil && details.RetryAfterSeconds > 0 {
		a.to.Header().Set("Retry-After", formatVersion(uint64(details.RetryAfterSeconds)))
	}
	// A status always has a wire form.
	_ = a.message(int(status.Code), statusKind(), status)
}

// bodyWriter is what the buffer of an answer writes to.
type bodyWriter struct{ *answer }

func (b bodyWriter) Write(p []byte) (int, error) {
	b.extendDeadline()
	n, err := b.to.Write(p)
	b.counts.each(func(c *counters) { c.bytes.Add(uint64(n)) })
	return n, err
}
