package web

import (
	"io"

	"github.com/statefleet/statefleet/store"
)

// Exporter is what the handlers show. All methods may be called concurrently and do not wait for the API server.
type Exporter interface {
	// Ready is nil when all that must be served is held; otherwise its text is a sentence that says what is missing. That
	// is not to say that it is served: another replica may do so.
	Ready() error
	// Resources returns the names of the kinds that are exported, such as "pods".
	Resources() []string
	// Collect takes a snapshot of the kinds that include admits. The error, a sentence, says why there is nothing to be
	// served now; it is Ready's when that has one.
	Collect(format store.Format, include func(resource string) bool) (Page, error)
}

// Page is a snapshot of exposition text, as [store.Snapshot] is. It is used by one goroutine and asked for one encoding only,
// so that the work for the other is not done. Its writes should be large: each becomes a write to the network.
type Page interface {
	// GzipSize is the exact number of bytes that WriteGzip writes.
	GzipSize() int64
	// WriteGzip writes the text as one gzip member.
	WriteGzip(w io.Writer) error
	// Size is the exact number of bytes that WriteText writes.
	Size() int64
	// WriteText writes the text as it is.
	WriteText(w io.Writer) error
	// Release ends the use of the page.
	Release()
}
