package watch

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/watch/sharding"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/shard"
)

// pageSize is how many objects a page of a list holds, as with kubectl.
const pageSize = 500

// errPaginationLoop ends a list whose next page is the one that was read.
var errPaginationLoop = errors.New("the list does not end: a page names itself as the next one")

// list reads everything, as a stream (KEP-3157) that continues as a watch, or else in pages. API
// servers without the feature WatchList refuse to stream.
func (r *Reflector) list(ctx context.Context) error {
	r.requireList() // also ends AddRanges
	o := metav1.ListOptions{
		ResourceVersion:      r.listVersion(),
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		SendInitialEvents:    new(true),
	}
	complete, err := r.follow(ctx, o)
	if complete || ctx.Err() != nil || apierrors.IsTooManyRequests(err) {
		return err
	}
	r.logger.Debug("streamed list failed; listing in pages", "err", err)
	return r.listPages(ctx)
}

// listPages reads everything page by page. A list from the API server's cache has one page.
func (r *Reflector) listPages(ctx context.Context) error {
	var refs []ObjectRef
	read := func(o metav1.ListOptions) (version string, err error) {
		refs = nil
		o.ShardSelector = r.Selector()
		return r.eachPage(ctx, o, func(o metav1.ListOptions) (metav1.ListMeta, error) {
			return r.putPage(ctx, o, every, func(ref ObjectRef) { refs = append(refs, ref) })
		})
	}
	o := metav1.ListOptions{ResourceVersion: r.listVersion()}
	if o.ResourceVersion == "" {
		o.Limit = pageSize
	}
	version, err := read(o)
	if apierrors.IsResourceExpired(err) || o.ResourceVersion != "" && needsList(err) {
		// Paging took longer than etcd keeps a version, or the server does not know ours.
		version, err = read(metav1.ListOptions{})
	}
	r.recordResult("list", err)
	if err != nil {
		return err
	}
	r.replace(refs, version)
	return nil
}

// listVersion is the resourceVersion of a list: "" asks for the newest state, "0" for any, and
// others for one that is not older.
func (r *Reflector) listVersion() string {
	switch {
	case !r.AllowStaleList:
		return ""
	case len(r.version) == 0:
		return "0"
	}
	return string(r.version)
}

// eachPage reads a list page by page and returns its version.
func (r *Reflector) eachPage(ctx context.Context, o metav1.ListOptions, read func(metav1.ListOptions) (metav1.ListMeta, error)) (version string, err error) {
	defer r.Client.batcher.Suspend()() // between two pages as well
	for {
		page, err := read(o)
		switch {
		case err != nil:
			return "", err
		case page.Continue == "":
			return page.ResourceVersion, ctx.Err()
		case page.Continue == o.Continue:
			return "", errPaginationLoop
		}
		o.Continue, o.ResourceVersion = page.Continue, ""
	}
}

// every selects all hashes.
func every(uint64) bool { return true }

// putPage passes the wanted objects of a page to the Handler, and calls accepted with those that the
// Handler has accepted. The page is compared with the selector that was sent.
func (r *Reflector) putPage(ctx context.Context, o metav1.ListOptions, wanted func(hash uint64) bool, accepted func(ObjectRef)) (page metav1.ListMeta, err error) {
	defer func() { r.counters.listed(err) }()
	resp, err := r.openAs(ctx, o, r.Form.Accept(false))
	if err != nil {
		return metav1.ListMeta{}, err
	}
	defer resp.close()
	answer := sharding.Answer{Sent: resp.sent}
	page, err = r.Form.ReadList(resp, func(enc wire.Encoding, raw []byte) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.stopped {
			return context.Canceled
		}
		meta, err := wire.ReadMeta(enc, raw)
		if err != nil {
			r.decodeFailed(err) // its bounds were sound, so the rest of the list is usable
			return nil
		}
		object := Object{Meta: meta, Hash: hash(meta), Raw: raw, Encoding: enc}
		answer.Observe(meta.UID, object.Hash)
		if r.deliver(r.Handler.Put, wanted, object) {
			accepted(newObjectRef(meta))
		}
		return ctx.Err()
	})
	if err == nil {
		err = answer.Verify(page)
	}
	r.noteMismatch(err)
	if filtered, known := answer.Filtered(r.Form.Metadata, page); err == nil && known {
		r.counters.sharded(filtered)
	}
	return page, err
}

// hash returns the shard hash of an object. Its namespace and name stand in for the UID, which only
// faulty servers leave out.
func hash(m wire.Meta) uint64 {
	if len(m.UID) > 0 {
		return shard.Hash(m.UID)
	}
	return shard.Hash(string(m.Namespace) + "/" + string(m.Name))
}
