package watch

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Gain is what a Source comes to own besides what it owns already.
type Gain struct {
	// Owned decides by an object's hash, as that of Options does.
	Owned func(hash uint64) bool
	// Selector is the shardSelector for it; "" asks for everything.
	Selector string
}

var (
	// ErrNotListed is returned by Acquire while the Source has no complete list, or once it begins another: then all
	// that is owned has to be listed.
	ErrNotListed = errors.New("the resource is being listed")
	// ErrBehind is returned by Acquire when the list of the gain is older than what the watch goes on from. For the
	// second time in a row it means that the API server's versions have gone back.
	ErrBehind = errors.New("the API server's answer is older than what is known")
)

// Acquire puts into the Sink what the Source has come to own, and leaves what it holds as it is. The Options' Owned
// and Selector must have grown before. The watch goes on from where it is with the wider selector, and only then is
// the gain listed, so that whatever happens meanwhile comes with the watch. It blocks until the gain is complete, and
// may be called while the Source runs, by one goroutine at a time. After an error but ErrNotListed it may be tried again.
func (s *Source) Acquire(ctx context.Context, gain Gain) error {
	from, err := s.reopen(ctx)
	if err != nil {
		return err
	}
	defer s.Client.hurry()() // between two pages as well
	o := metav1.ListOptions{Limit: scanPage, ShardSelector: gain.Selector}
	for {
		page, err := s.acquirePage(ctx, o, gain.Owned)
		if err == nil && o.Continue == "" && older(page.ResourceVersion, from) {
			err = ErrBehind
		}
		if err == nil && page.Continue != "" && page.Continue == o.Continue {
			err = errEndless
		}
		s.counters.listed(err)
		if err != nil {
			return fmt.Errorf("list what is gained of %s: %w", s.Name, err)
		}
		if !s.follows() {
			return ErrNotListed
		}
		if page.Continue == "" {
			return nil
		}
		o.Continue = page.Continue
	}
}

// acquirePage gives way to a list that the reflector begins. That may have found no room for an object that there
// would be room for now, and would take away what it does not name.
func (s *Source) acquirePage(ctx context.Context, o metav1.ListOptions, owned func(hash uint64) bool) (metav1.ListMeta, error) {
	body, sent, err := s.openAs(ctx, o, s.Form.Accept(false))
	if err != nil {
		return metav1.ListMeta{}, err
	}
	return s.readList(ctx, body, sent, func(hash uint64) bool { return s.listed && owned(hash) }, func(*Handle) {})
}

// follows reports whether the last list that was begun is complete.
func (s *Source) follows() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listed
}

// listBegins stands for the version of a watch where the reflector lists everything instead.
const listBegins = "a list begins"

// reopen has the watch opened anew, and returns the version that it goes on from.
func (s *Source) reopen(ctx context.Context) (from string, err error) {
	s.mu.Lock()
	if !s.listed || s.stopped {
		s.mu.Unlock()
		return "", ErrNotListed
	}
	opened := make(chan string, 1)
	s.opened = opened
	current := s.stream
	s.mu.Unlock()
	if current != nil {
		current.cut()
	}
	select {
	case from = <-opened:
		if from == listBegins {
			return "", ErrNotListed
		}
		return from, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// begins notes that a list begins. The caller does not hold s.mu.
func (s *Source) begins() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed = false
	s.opens(listBegins)
}

// opens notes a watch that goes on from a version, or that a list begins. The caller holds s.mu.
func (s *Source) opens(from string) {
	if s.opened != nil {
		s.opened <- from
		s.opened = nil
	}
}

// watches notes the watch that is read from now on. One that was asked for less than is owned by now is cut at once.
func (s *Source) watches(d *stream, sent sentSelector, from string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream = d
	switch {
	case d.initial:
	case sent.text != "" && sent.wanted != s.Selector():
		d.cut()
	default:
		s.opens(from)
	}
}

// cut ends the watch as if the API server had. What it has not read yet comes again.
func (d *stream) cut() {
	d.closed.Store(true)
	d.cancel()
}
