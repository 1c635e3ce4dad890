package watch

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/watch/sharding"
	"github.com/statefleet/statefleet/internal/wire"
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
	complete, err := r.watch(ctx, o)
	if complete || ctx.Err() != nil || apierrors.IsTooManyRequests(err) {
		return err
	}
	r.logger.Debug("streamed list failed; listing in pages", "err", err)
	return r.listPages(ctx)
}

// listPages reads everything page by page. A list from the API server's cache has one page.
func (r *Reflector) listPages(ctx context.Context) error {
	var refs []ObjectRef
	put := func(o Object) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.owns(o) {
			return
		}
		if len(refs) == 0 {
			r.status.opened() // before the first object is put: no half of a refused resource is held
		}
		if r.Handler.Put(o) {
			refs = append(refs, newObjectRef(o.Meta))
		}
	}
	read := func(o metav1.ListOptions) (version string, err error) {
		refs = nil
		o.ShardSelector = r.Selector()
		return r.eachPage(ctx, o, func(o metav1.ListOptions) (metav1.ListMeta, error) { return r.readObjects(ctx, o, put) })
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
	case r.version == "":
		return "0"
	}
	return r.version
}

// eachPage reads a list page by page and returns its version.
func (r *Reflector) eachPage(ctx context.Context, o metav1.ListOptions, read func(metav1.ListOptions) (metav1.ListMeta, error)) (version string, err error) {
	defer r.Client.SuspendBatching()() // between two pages as well
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

// readObjects reads a page in the Form of the Reflector.
func (r *Reflector) readObjects(ctx context.Context, o metav1.ListOptions, visit func(Object)) (metav1.ListMeta, error) {
	page, answer, err := r.readPage(ctx, o, r.Form.Accept(false), r.Form, visit)
	r.counters.listed(err)
	if filtered, known := answer.Filtered(r.Form.Metadata, page); err == nil && known {
		r.counters.sharded(filtered)
	}
	return page, err
}

// readMetadata reads a page with the identities of the objects only.
func (r *Reflector) readMetadata(ctx context.Context, o metav1.ListOptions, visit func(Object)) (metav1.ListMeta, sharding.Answer, error) {
	return r.readPage(ctx, o, r.Form.AcceptIdentity(), wire.Form{}, visit)
}

// readPage requests a page of a list in a media type, reads it in a form, and compares it with the
// selector that was sent. Objects are valid until visit returns.
func (r *Reflector) readPage(
	ctx context.Context, o metav1.ListOptions, accept string, form wire.Form, visit func(Object),
) (page metav1.ListMeta, answer sharding.Answer, err error) {
	resp, err := r.open(ctx, o, accept)
	if err != nil {
		return page, answer, err
	}
	defer resp.close()
	answer.Sent = resp.sent
	page, err = form.ReadList(resp, func(enc wire.Encoding, raw []byte) error {
		object, err := newObject(enc, raw)
		if err != nil {
			r.decodeFailed(err) // its bounds were sound, so the rest of the list is usable
			return nil
		}
		answer.Observe(object.UID, object.Hash)
		visit(object)
		return ctx.Err()
	})
	if err == nil {
		err = answer.Verify(page)
	}
	r.noteMismatch(err)
	return page, answer, err
}
