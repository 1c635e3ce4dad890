package verify

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

// Set keeps a Handler up to date with a resource of few objects, and verifies it. It is for a
// Handler that has room for all objects. Make one with NewSet. Its methods may be called
// concurrently.
type Set struct {
	options  watch.Options
	verifier *Verifier
	versions *versions
	subject  *Subject
	idle     func() bool
	relisted atomic.Bool // the resource was complete before it was listed again
	current  atomic.Pointer[watch.Reflector]
	relist   chan bool // receives true after a reset
}

// NewSet returns a Set that starts with Run. It is not verified while idle returns true.
func NewSet(v *Verifier, o watch.Options, idle func() bool) *Set {
	s := &Set{
		options: o, verifier: v, idle: idle, relist: make(chan bool),
		versions: &versions{Handler: o.Handler, store: store.New(nil, nil)},
	}
	s.options.Handler = s.versions
	s.begin()
	s.subject = v.NewSubject(SubjectOptions{
		Name:           s.current.Load().Name,
		Store:          s.versions.store,
		Reflectors:     func() []*watch.Reflector { return []*watch.Reflector{s.current.Load()} },
		ID:             idOf,
		Ready:          func() bool { return s.current.Load().Status().Phase == watch.Synced && !s.idle() },
		DeletedAt:      func(store.ID) uint64 { return 0 },
		NewestDeletion: s.versions.newestDeletion.Load,
		Relist:         s.requestRelist,
		Logger:         o.Logger.With("resource", s.current.Load().Name),
	})
	return s
}

func (s *Set) begin() { s.current.Store(watch.New(s.options)) }

// Run lists and watches the resource until ctx ends; nothing reaches the Handler after it has
// returned. It is called once.
func (s *Set) Run(ctx context.Context) {
	var verifying sync.WaitGroup
	defer verifying.Wait()
	verifying.Go(func() { s.verifier.Run(ctx, s.subject) })
	for ctx.Err() == nil {
		s.follow(ctx)
	}
}

// follow runs one Reflector, until ctx ends or everything has to be listed again.
func (s *Set) follow(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { s.current.Load().Run(ctx) })
	reset := false
	select {
	case <-ctx.Done():
	case reset = <-s.relist:
	}
	cancel()
	running.Wait()
	if reset { // after the Reflector has ended, so that no older version arrives later
		s.versions.reset()
	}
	s.options.AllowStaleList = false // the list that was compared was not from a cache either
	s.relisted.Store(true)
	s.begin()
}

func (s *Set) requestRelist(ctx context.Context, reset bool) {
	select {
	case s.relist <- reset:
	case <-ctx.Done():
	}
}

// Status returns the status of the Reflector.
func (s *Set) Status() watch.Status {
	st := s.current.Load().Status()
	st.Synced = st.Synced || s.relisted.Load()
	return st
}

// versions passes the calls of a Reflector to a Handler, and stores the versions of the objects.
type versions struct {
	watch.Handler
	store          *store.Store
	newestDeletion atomic.Uint64
}

func idOf(o watch.Object) store.ID { return store.NewID(o.UID, o.Namespace, o.Name) }

// Put implements watch.Handler.
func (v *versions) Put(o watch.Object) (accepted bool) {
	v.store.Put(store.Object{ID: idOf(o), Version: watch.ParseVersion(o.ResourceVersion)}, &store.Lines{})
	return v.Handler.Put(o)
}

// Delete implements watch.Handler.
func (v *versions) Delete(o watch.Object) {
	v.newestDeletion.Store(max(v.newestDeletion.Load(), watch.ParseVersion(o.ResourceVersion)))
	v.store.Delete(idOf(o))
	v.Handler.Delete(o)
}

// Replace implements watch.Handler.
func (v *versions) Replace(all []watch.ObjectRef, resourceVersion string) {
	v.store.Retain(0, watch.ParseVersion(resourceVersion), func(yield func(store.ID) bool) {
		for _, ref := range all {
			if !yield(store.NewID(ref.UID, ref.Namespace, ref.Name)) {
				return
			}
		}
	})
	v.Handler.Replace(all, resourceVersion)
}

func (v *versions) reset() {
	v.newestDeletion.Store(0)
	v.store.ResetAllVersions()
}
