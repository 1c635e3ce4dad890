package watch

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RangeAddition is what a Reflector comes to own in addition.
type RangeAddition struct {
	// Contains decides by an object's hash.
	Contains func(hash uint64) bool
	// Selector is the shardSelector of the addition; "" asks for everything.
	Selector string
}

var (
	// ErrNotSynced is returned by AddRanges while the Reflector has no complete list, or when it
	// begins another: everything that is owned has to be listed then.
	ErrNotSynced = errors.New("the resource is being listed")
	// ErrStaleList is returned by AddRanges when its list is older than the version that the
	// watch goes on from. Twice in a row it means that the API server's versions have gone back.
	ErrStaleList = errors.New("the API server's list is older than what is known")
)

// AddRanges puts what the Reflector has come to own into the Handler and leaves the other
// objects as they are. The Handler's Owns and the Options' Selector must include the addition already. The watch is
// opened again with the wider selector, and only then is the addition listed, so that the watch
// brings everything that happens meanwhile. AddRanges blocks until the list is complete. One
// goroutine at a time may call it, while Run runs. After any error but ErrNotSynced it may be
// called again.
func (r *Reflector) AddRanges(ctx context.Context, add RangeAddition) error {
	from, err := r.restartWatch(ctx)
	if err != nil {
		return err
	}
	// A list of Run may have had no room for an object that there is room for now. It would
	// remove the object, so nothing is put while it runs.
	wanted := func(hash uint64) bool { return r.complete && add.Contains(hash) }
	o := metav1.ListOptions{Limit: pageSize, ShardSelector: add.Selector}
	version, err := r.eachPage(ctx, o, func(o metav1.ListOptions) (metav1.ListMeta, error) {
		page, err := r.putPage(ctx, o, wanted, func(ObjectRef) {})
		if err == nil && !r.hasCompleteList() {
			err = ErrNotSynced
		}
		return page, err
	})
	if err == nil && older(version, from) {
		err = ErrStaleList
	}
	if err != nil && !errors.Is(err, ErrNotSynced) {
		return fmt.Errorf("list the added ranges of %s: %w", r.Name, err)
	}
	return err
}

// listBegins stands for the version of a watch when Run lists everything instead.
const listBegins = "a list begins"

// restartWatch has Run open its watch again, and returns the version that it goes on from.
func (r *Reflector) restartWatch(ctx context.Context) (from string, err error) {
	r.mu.Lock()
	if !r.complete || r.stopped {
		r.mu.Unlock()
		return "", ErrNotSynced
	}
	opened := make(chan string, 1)
	r.opened = opened
	if r.cancel != nil {
		r.cancel()
	}
	r.mu.Unlock()
	select {
	case from = <-opened:
		if from == listBegins {
			return "", ErrNotSynced
		}
		return from, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// notifyOpened tells restartWatch of a watch from a version. The caller holds r.mu.
func (r *Reflector) notifyOpened(from string) {
	if r.opened != nil {
		r.opened <- from
		r.opened = nil
	}
}

// opening notes the watch that is read from now on. One that should not go on is ended at once:
// it was opened with a selector that has become too narrow, or a list is required.
func (r *Reflector) opening(s *stream, cancel context.CancelFunc, from string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancel = cancel
	sent := s.resp.sent
	switch {
	case s.initial:
	case !r.complete, sent.Text != "" && sent.Wanted != r.Selector():
		cancel()
	default:
		r.notifyOpened(from)
	}
}

// closing notes the end of the watch.
func (r *Reflector) closing() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancel = nil
}
