package watch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/wire"
)

// errMismatch is why a list is not used.
var errMismatch = errors.New("the API server applies another shard selector than it was sent")

// foreign counts objects of one answer that its shard selector does not ask for. A selector says nothing of objects
// without a UID, which only odd servers have.
type foreign struct {
	sent  sentSelector
	count int
	asked int // objects that it asks for
}

// saw notes an object, and reports whether the selector asks for it.
func (f *foreign) saw(meta wire.Meta, hash uint64) bool {
	if len(meta.UID) == 0 || f.sent.covers(hash) {
		f.asked++
		return true
	}
	f.count++
	return false
}

// honoured reports whether the server has left out what a list was not asked for, as far as that is known. Lists say
// so; those of metadata do not, and are judged by what they hold.
func (f *foreign) honoured(form wire.Form, list metav1.ListMeta) (honoured, known bool) {
	if !form.Metadata {
		return list.ShardInfo != nil, true
	}
	return f.sent.text != "" && f.count == 0, f.sent.text == "" || f.count+f.asked > 0
}

// verify compares a list with what was asked for. A server that ignores the selector says nothing of it; one that
// claims to apply it must have used our hash and our ranges, or objects of ours are missing.
func (f *foreign) verify(list metav1.ListMeta) error {
	switch info := list.ShardInfo; {
	case info == nil, f.sent.text == "" && info.Selector == "":
		return nil
	case f.sent.text == "":
		return fmt.Errorf("%w: it has applied %q to a list of everything", errMismatch, info.Selector)
	case !f.sent.says(info.Selector):
		return fmt.Errorf("%w: it answers with %q, sent was %q", errMismatch, info.Selector, f.sent.text)
	case f.count > 0:
		return fmt.Errorf("%w: %d objects of its answer have hashes outside of %q", errMismatch, f.count, f.sent.text)
	}
	return nil
}

// noteMismatch tells the process of a mismatch, if the error of a list is one.
func (s *Source) noteMismatch(err error) {
	if errors.Is(err, errMismatch) {
		s.Sharding.fail(s.logger, err)
	}
}

const (
	// verifyPage is how many objects are read to verify the API server's filter: enough for some of other shards to be
	// among them if the server's hash is another one.
	verifyPage = 50
	// verifyTimeout bounds the wait of a watch for that.
	verifyTimeout = 10 * time.Second
)

// verifyFilter finds out why objects came that the selector does not ask for. A watch does not say whether the API
// server applies the selector, and neither do lists of metadata; a list of objects does. Sources ask in turn, and
// seldom, since most API servers ignore the selector. The result is nil unless the server was proved wrong.
func (s *Source) verifyFilter(ctx context.Context, sent sentSelector) error {
	// Whole objects are not asked for where metadata is all that may be sent: other resources verify the server.
	if s.Form.Metadata || !s.Sharding.mayVerify() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	o := metav1.ListOptions{Limit: verifyPage, ShardSelector: sent.text, FieldSelector: s.FieldSelector, LabelSelector: s.LabelSelector}
	f := foreign{sent: sent}
	body, err := s.request(ctx, o, "")
	if err == nil {
		defer func() { _ = body.Close() }()
		var list metav1.ListMeta
		list, err = wire.ReadList(countingReader{body, s.counters.bytes}, func(enc wire.Encoding, raw []byte) error {
			meta, err := wire.ReadMeta(enc, raw)
			if err == nil {
				f.saw(meta, hash(meta))
			}
			return err
		})
		if err == nil {
			err = f.verify(list)
		}
	}
	if errors.Is(err, errMismatch) {
		s.noteMismatch(err)
		return err
	}
	if err != nil {
		s.logger.Debug("could not verify whether the API server applies the shard selector", "err", err)
		s.Sharding.verifyAgain()
	}
	return nil
}

// filtering finds out whether an API server honours the shard selector of one
// watch. A list says so in its metadata; a watch, also one that streams a list,
// is known only by what it brings. It is used by one goroutine.
type filtering struct {
	foreign
	source     *Source
	covered    int  // objects so far that the selector asks for
	convincing int  // so many of them, and no others, are no accident
	known      bool // nothing further can be learned
}

// accident is how likely it may be that a server that ignores the selector is taken for one that honours it.
const accident = 1e-6

// newFiltering takes the selector that the server was sent.
func newFiltering(s *Source, sent sentSelector) *filtering {
	f := &filtering{source: s, foreign: foreign{sent: sent}}
	if sent.text == "" {
		f.conclude(false)
		return f
	}
	share := min(sent.ranges.Share(), 1-1e-9) // that of all hashes but a few is 1 as a float64
	f.convincing = int(math.Ceil(math.Log(accident) / math.Log(share)))
	return f
}

// saw notes an object. It reports whether the server is to be asked why it has sent it.
func (f *filtering) saw(meta wire.Meta, hash uint64) (ask bool) {
	switch {
	case f.known:
	case f.foreign.saw(meta, hash):
		if f.covered++; f.covered == f.convincing {
			f.source.counters.sharded(true)
		}
	default:
		f.conclude(false)
		return true
	}
	return false
}

// listed notes the end of a streamed list. An empty one proves nothing.
func (f *filtering) listed() {
	if !f.known && f.covered > 0 {
		f.source.counters.sharded(true)
	}
}

func (f *filtering) conclude(honoured bool) {
	f.known = true
	f.source.counters.sharded(honoured)
}
