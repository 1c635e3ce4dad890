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

// observe notes an object, and reports whether the selector asks for it.
func (f *foreign) observe(meta wire.Meta, hash uint64) bool {
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
func (r *Reflector) noteMismatch(err error) {
	if errors.Is(err, errMismatch) {
		r.Sharding.fail(r.logger, err)
	}
}

const (
	// verifyPage is how many objects are read to verify the API server's filter: enough for some of other shards to be
	// among them if the server's hash is another one.
	verifyPage = 50
	// verifyTimeout bounds the wait of a watch for that.
	verifyTimeout = 10 * time.Second
)

// verifyFilter finds out why objects came that the selector does not ask for. A watch does not say
// whether the API server applies the selector, and neither do lists of metadata; a list of objects
// does. Reflectors ask in turn, and seldom, since most API servers ignore the selector. The error
// is nil unless the server was proved wrong.
func (r *Reflector) verifyFilter(ctx context.Context, sent sentSelector) error {
	// Whole objects are not requested where metadata is all that may be sent: other resources verify the server.
	if r.Form.Metadata || !r.Sharding.mayVerify() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	err := r.listForVerification(ctx, sent)
	if errors.Is(err, errMismatch) {
		r.noteMismatch(err)
		return err
	}
	if err != nil {
		r.logger.Debug("could not verify whether the API server applies the shard selector", "err", err)
		r.Sharding.verifyAgain()
	}
	return nil
}

func (r *Reflector) listForVerification(ctx context.Context, sent sentSelector) error {
	o := metav1.ListOptions{Limit: verifyPage, ShardSelector: sent.text, FieldSelector: r.FieldSelector, LabelSelector: r.LabelSelector}
	resp, err := r.send(ctx, o, "")
	if err != nil {
		return err
	}
	defer resp.close()
	f := foreign{sent: sent}
	list, err := wire.ReadList(resp, func(enc wire.Encoding, raw []byte) error {
		meta, err := wire.ReadMeta(enc, raw)
		if err == nil {
			f.observe(meta, hash(meta))
		}
		return err
	})
	if err != nil {
		return err
	}
	return f.verify(list)
}

// detector finds out whether an API server honours the shard selector of one watch. A list says
// so in its metadata; a watch, also one that streams a list, is judged by what it brings. One
// goroutine uses it.
type detector struct {
	foreign
	counters    *counters
	minEvidence int  // so many objects that the selector asks for, and no others, are not chance
	known       bool // nothing further can be learned
}

// chance is how likely it may be that a server that ignores the selector is taken for one that honours it.
const chance = 1e-6

func newDetector(r *Reflector, sent sentSelector) *detector {
	d := &detector{counters: r.counters, foreign: foreign{sent: sent}}
	if sent.text == "" {
		d.reportIgnored()
		return d
	}
	share := min(sent.ranges.Fraction(), 1-1e-9) // that of all hashes but a few is 1 as a float64
	d.minEvidence = int(math.Ceil(math.Log(chance) / math.Log(share)))
	return d
}

// observe notes an object. It reports whether the server must be asked why it has sent it.
func (d *detector) observe(meta wire.Meta, hash uint64) (ask bool) {
	switch {
	case d.known:
	case d.foreign.observe(meta, hash):
		if d.asked == d.minEvidence {
			d.counters.sharded(true)
		}
	default:
		d.reportIgnored()
		return true
	}
	return false
}

// listed notes the end of a streamed list. An empty one proves nothing.
func (d *detector) listed() {
	if !d.known && d.asked > 0 {
		d.counters.sharded(true)
	}
}

func (d *detector) reportIgnored() {
	d.known = true
	d.counters.sharded(false)
}
