package sharding

import (
	"fmt"
	"math"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Answer compares one answer with the selector that was sent. One goroutine uses it.
type Answer struct {
	Sent Selector
	// Foreign counts the objects that the selector does not ask for, and Asked the others.
	Foreign, Asked int
}

// Observe counts an object, and reports whether the selector asks for it. An object without a UID,
// which only faulty servers send, never counts as foreign.
func (a *Answer) Observe(uid []byte, hash uint64) bool {
	if len(uid) == 0 || a.Sent.Covers(hash) {
		a.Asked++
		return true
	}
	a.Foreign++
	return false
}

// Filtered reports whether the server has filtered a list, if that is known. Lists of objects say
// so themselves; lists of metadata do not, and are judged by their objects.
func (a *Answer) Filtered(metadata bool, list metav1.ListMeta) (filtered, known bool) {
	if !metadata {
		return list.ShardInfo != nil, true
	}
	return a.Sent.Text != "" && a.Foreign == 0, a.Sent.Text == "" || a.Foreign+a.Asked > 0
}

// Verify compares a list with the selector. A server that ignores the selector does not mention it.
// A server that claims to apply it must have used our hash and our ranges, otherwise owned objects
// are missing. The error is an ErrMismatch.
func (a *Answer) Verify(list metav1.ListMeta) error {
	switch info := list.ShardInfo; {
	case info == nil, a.Sent.Text == "" && info.Selector == "":
		return nil
	case a.Sent.Text == "":
		return fmt.Errorf("%w: it has applied %q to a list of everything", ErrMismatch, info.Selector)
	case !a.Sent.equals(info.Selector):
		return fmt.Errorf("%w: it has applied %q, but was sent %q", ErrMismatch, info.Selector, a.Sent.Text)
	case a.Foreign > 0:
		return fmt.Errorf("%w: %d objects of the answer are outside of %q", ErrMismatch, a.Foreign, a.Sent.Text)
	}
	return nil
}

// Detector reports whether an API server filters one watch by the selector that it was sent. A list
// says so in its metadata; a watch, also one that streams a list, is judged by its objects. One
// goroutine uses it.
type Detector struct {
	answer      Answer
	report      func(filtered bool)
	minEvidence int  // how many requested objects, without a foreign one, are proof
	known       bool // nothing further can be learned
}

// chance is the accepted probability that a server that ignores the selector seems to apply it.
const chance = 1e-6

// NewDetector returns a Detector that passes what it finds to report.
func NewDetector(sent Selector, report func(filtered bool)) *Detector {
	d := &Detector{answer: Answer{Sent: sent}, report: report}
	if sent.Text == "" {
		d.reportUnfiltered()
		return d
	}
	fraction := min(sent.Fraction(), 1-1e-9) // the fraction of nearly all hashes is 1 as a float64
	d.minEvidence = int(math.Ceil(math.Log(chance) / math.Log(fraction)))
	return d
}

// Observe counts an object. It returns true for the first foreign one: the caller must verify the
// server's filter.
func (d *Detector) Observe(uid []byte, hash uint64) (verify bool) {
	switch {
	case d.known:
	case d.answer.Observe(uid, hash):
		if d.answer.Asked == d.minEvidence {
			d.report(true)
		}
	default:
		d.reportUnfiltered()
		return true
	}
	return false
}

// Listed marks the end of a streamed list. An empty list proves nothing.
func (d *Detector) Listed() {
	if !d.known && d.answer.Asked > 0 {
		d.report(true)
	}
}

func (d *Detector) reportUnfiltered() {
	d.known = true
	d.report(false)
}
