package watch

import (
	"context"
	"errors"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/shard"
)

// hash is the shard hash of an object. Without a UID, which only odd servers
// leave out, namespace and name stand in for it.
func hash(m wire.Meta) uint64 {
	if len(m.UID) > 0 {
		return shard.HashBytes(m.UID)
	}
	return shard.Hash(string(m.Namespace) + "/" + string(m.Name))
}

// List is what the reflector calls without a context of its own.
func (s *Source) List(o metav1.ListOptions) (runtime.Object, error) {
	return s.ListWithContext(context.Background(), o)
}

// Watch is what the reflector calls without a context of its own.
func (s *Source) Watch(o metav1.ListOptions) (apiwatch.Interface, error) {
	return s.WatchWithContext(context.Background(), o)
}

// ListWithContext reads one page of a list for the reflector. Its items are in
// the Sink when it returns; the list holds the handles of those that it has taken.
func (s *Source) ListWithContext(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	if !s.CachedReads && o.ResourceVersion == "0" {
		o.ResourceVersion = ""
	}
	s.begins()
	list, err := s.listPage(ctx, o)
	if refusesVersion(err, o.ResourceVersion) {
		// It would be refused for ever: client-go asks for the version that it heard of last.
		o.ResourceVersion, o.ResourceVersionMatch = "", ""
		list, err = s.listPage(ctx, o)
	}
	s.counters.listed(err)
	s.state.answered(s.logger, "list", err)
	if err != nil {
		return nil, err
	}
	return list, nil
}

// refusesVersion reports whether the API server can't read a version, which may
// be that of another server, or have been garbled on its way.
func refusesVersion(err error, version string) bool {
	return version != "" && version != "0" && (apierrors.IsBadRequest(err) || apierrors.IsInvalid(err))
}

// errEndless is a list whose next page is the one that was read.
var errEndless = errors.New("the list does not end: a page names itself as the next one")

func (s *Source) listPage(ctx context.Context, o metav1.ListOptions) (*handleList, error) {
	list := &handleList{}
	body, sent, err := s.open(ctx, o)
	if err != nil {
		return nil, err
	}
	list.ListMeta, err = s.readList(ctx, body, sent, s.Owned, func(h *Handle) { list.Items = append(list.Items, h) })
	if err == nil && list.Continue != "" && list.Continue == o.Continue {
		err = errEndless
	}
	return list, err
}

// readList gives those of a list's objects to the Sink that are owned, by what is asked first and by the Options as
// well, and then those that it has room for to visit. The answer is compared with
// the selector that it was asked with.
func (s *Source) readList(ctx context.Context, body io.ReadCloser, sent sentSelector, owned func(hash uint64) bool, visit func(*Handle)) (metav1.ListMeta, error) {
	defer func() { _ = body.Close() }()
	defer s.Client.hurry()()
	f := foreign{sent: sent}
	list, err := s.Form.ReadList(countingReader{body, s.counters.bytes}, func(enc wire.Encoding, raw []byte) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.stopped {
			return context.Canceled
		}
		meta, err := wire.ReadMeta(enc, raw)
		if err != nil {
			// Its bounds were sound: the others of the list are worth having.
			s.unreadable(err)
			return nil
		}
		h := hash(meta)
		f.saw(meta, h)
		if s.apply(s.Sink.Put, owned, meta, h, enc, raw) {
			visit(newHandle(meta))
		}
		return ctx.Err()
	})
	if err == nil {
		err = f.verify(list)
	}
	s.noteMismatch(err)
	if honoured, known := f.honoured(s.Form, list); err == nil && known {
		s.counters.sharded(honoured)
	}
	return list, err
}

// open sends a list or watch request for all that is owned and returns the body of
// a good answer, and the shardSelector that it was asked with.
func (s *Source) open(ctx context.Context, o metav1.ListOptions) (body io.ReadCloser, sent sentSelector, err error) {
	o.ShardSelector = s.Selector()
	return s.openAs(ctx, o, s.Form.Accept(o.Watch))
}

// openAs does so for a shardSelector and media types; "" are those that the client
// prefers. A server that rejects the selector is asked again with a shorter one, or
// without: it is an alpha feature (KEP-5866) whose grammar may change, and the filter
// on our side makes the result the same.
func (s *Source) openAs(ctx context.Context, o metav1.ListOptions, accept string) (body io.ReadCloser, sent sentSelector, err error) {
	o.FieldSelector, o.LabelSelector = s.FieldSelector, s.LabelSelector
	for wanted := o.ShardSelector; ; {
		sent = s.Sharding.selector(wanted)
		o.ShardSelector = sent.text
		body, err = s.request(ctx, o, accept)
		if err == nil || !s.Sharding.reject(sent, err, s.logger) {
			return body, sent, err
		}
	}
}

// request sends a request. The body of a list, also of one that is streamed, ends when
// nothing comes any more; a watch may be silent, and ends with its own timeout.
func (s *Source) request(ctx context.Context, o metav1.ListOptions, accept string) (io.ReadCloser, error) {
	if o.Watch && o.SendInitialEvents == nil {
		return s.send(ctx, o, accept)
	}
	ctx, silence := endSilence(ctx, s.Silence)
	body, err := s.send(ctx, o, accept)
	if err != nil {
		silence.end()
		return nil, silence.because(err)
	}
	silence.ReadCloser = body
	return silence, nil
}

func (s *Source) send(ctx context.Context, o metav1.ListOptions, accept string) (io.ReadCloser, error) {
	segments := []string{"/apis", s.Resource.Group, s.Resource.Version}
	if s.Resource.Group == "" {
		segments = []string{"/api", s.Resource.Version}
	}
	if s.Namespace != "" {
		segments = append(segments, "namespaces", s.Namespace)
	}
	segments = append(segments, s.Resource.Resource)
	defer s.Client.hurry()()
	r := s.Client.Get().AbsPath(segments...).
		SpecificallyVersionedParams(&o, metav1.ParameterCodec, schema.GroupVersion{Version: "v1"})
	if accept != "" {
		r.SetHeader("Accept", accept)
	}
	return r.Stream(ctx)
}
