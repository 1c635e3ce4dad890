package watch

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RangeAddition is a set of ranges that a Reflector owns from now on, in addition to its others.
type RangeAddition struct {
	// Contains reports whether a hash is in the added ranges.
	Contains func(hash uint64) bool
	// Selector is the shardSelector of the added ranges; "" asks for everything.
	Selector string
}

var (
	// ErrNotSynced is returned by AddRanges while the Reflector has no complete list, when it begins
	// another, or when Run has ended: everything that is owned has to be listed then.
	ErrNotSynced = errors.New("the resource is being listed")
	// ErrStaleList is returned by AddRanges when its list is older than the version that the watch
	// continues from. The Handler has received its objects, also those that were deleted since.
	ErrStaleList = errors.New("the API server's list is older than the version of the watch")
)

// AddRanges puts the objects of added ranges into the Handler, and leaves the other objects as they
// are. The Handler's Owns and the Options' Selector must include the addition already. AddRanges
// opens the watch again with the wider selector before it lists the addition, so that the watch
// receives all events from then on. It blocks until the list is complete. One goroutine at a time
// may call it, while Run runs. After any error but ErrNotSynced it may be called again.
func (r *Reflector) AddRanges(ctx context.Context, add RangeAddition) error {
	from, list, err := r.restartWatch(ctx)
	if err != nil {
		return err
	}
	// A list of Run may have rejected an object that there is room for now. The end of that list would
	// remove the object, so nothing is put while it is read. Nothing is put after it either: a page may
	// be older than that list, and no event removes an object that was deleted before the list.
	put := func(o Object) {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case r.checkList(list) != nil:
		case !add.Contains(o.Hash):
			r.ignore(o)
		case r.owns(o):
			r.Handler.Put(o)
		}
	}
	o := metav1.ListOptions{Limit: pageSize, ShardSelector: add.Selector}
	version, err := r.eachPage(ctx, o, func(o metav1.ListOptions) (metav1.ListMeta, error) {
		page, err := r.readObjects(ctx, o, put)
		if err == nil {
			r.mu.Lock()
			err = r.checkList(list)
			r.mu.Unlock()
		}
		return page, err
	})
	if err == nil && older(version, from) {
		err = ErrStaleList
	}
	switch {
	case errors.Is(err, errListed):
		return nil
	case err != nil && !errors.Is(err, ErrNotSynced):
		return fmt.Errorf("list the added ranges of %s: %w", r.Name, err)
	}
	return err
}

// errListed ends AddRanges because a list of Run that began later, and so includes the addition, is
// complete.
var errListed = errors.New("everything was listed")

// checkList returns nil while no list has begun after the one with a number, ErrNotSynced while one
// is being read, and errListed once one is complete. The caller holds r.mu.
func (r *Reflector) checkList(number int) error {
	switch {
	case !r.complete || r.stopped:
		return ErrNotSynced
	case r.lists != number:
		return errListed
	}
	return nil
}

// restartWatch makes Run open its watch again. It returns the version that the watch continues
// from, and the number of the list that is complete.
func (r *Reflector) restartWatch(ctx context.Context) (from string, list int, err error) {
	r.mu.Lock()
	list = r.lists
	if err := r.checkList(list); err != nil {
		r.mu.Unlock()
		return "", 0, err
	}
	opened := make(chan string, 1)
	r.opened = opened
	r.cancel()
	r.mu.Unlock()
	select {
	case from, ok := <-opened:
		if !ok {
			return "", 0, ErrNotSynced
		}
		return from, list, nil
	case <-ctx.Done():
		return "", 0, ctx.Err()
	}
}

// opening sets the watch that is read from now on. It ends the watch immediately if its selector
// has become too narrow, or if a list is required.
func (r *Reflector) opening(s *stream, cancel context.CancelFunc, from string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancel = cancel
	sent := s.resp.sent
	switch {
	case s.initial:
	case !r.complete, sent.Text != "" && sent.Wanted != r.Selector():
		cancel()
	case r.opened != nil:
		r.opened <- from
		r.opened = nil
	}
}
