package watch

import (
	"context"
	"fmt"
	"math/rand/v2"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/watch/sharding"
	"github.com/statefleet/statefleet/internal/wire"
)

// ListMetadata lists the objects that exist now, page by page, and calls visit with each owned one.
// Its Raw is nil, and it is valid until visit returns. Nothing reaches the Handler. ListMetadata may
// be called while Run runs. An error means that the list was not complete. The version is that of
// the list. No cache answers it, so it is not older than any version known before the call.
//
// A list that the API server filters cannot show that the filter leaves out owned objects. So a
// part of the calls, as large as the share of all objects that the selector asks for, also lists
// everything and compares. On average a call reads twice that share, and all replicas together read
// everything twice.
func (r *Reflector) ListMetadata(ctx context.Context, visit func(o Object)) (resourceVersion string, err error) {
	filtered := &metadataList{Reflector: r, Answer: sharding.Answer{Sent: r.Sharding.Selector(r.Selector())}, visit: visit}
	if sent := filtered.Sent; sent.Text != "" && rand.Float64() < sent.Fraction() {
		filtered.listed = map[uint64]bool{}
	}
	resourceVersion, err = filtered.read(ctx)
	switch {
	case err != nil:
		r.noteMismatch(err)
		return "", fmt.Errorf("list %s for comparison: %w", r.Name, err)
	case filtered.Foreign > 0 && !r.Form.Metadata: // lists of metadata do not say whether they are filtered
		err = r.verifyFilter(ctx, filtered.Sent)
	case filtered.listed != nil:
		err = r.compareWithAll(ctx, filtered, ParseVersion(resourceVersion))
	}
	if err != nil {
		return "", fmt.Errorf("compare %s with a list of everything: %w", r.Name, err)
	}
	return resourceVersion, nil
}

// metadataList is a list of metadata that is being read.
type metadataList struct {
	*Reflector
	sharding.Answer
	visit  func(o Object)
	listed map[uint64]bool // hashes of all objects; nil unless they are needed
}

func (l *metadataList) read(ctx context.Context) (resourceVersion string, err error) {
	o := metav1.ListOptions{Limit: pageSize, ShardSelector: l.Sent.Wanted}
	return l.eachPage(ctx, o, func(o metav1.ListOptions) (metav1.ListMeta, error) { return l.page(ctx, o) })
}

func (l *metadataList) page(ctx context.Context, o metav1.ListOptions) (metav1.ListMeta, error) {
	resp, err := l.openAs(ctx, o, l.Form.AcceptIdentity())
	if err != nil {
		return metav1.ListMeta{}, err
	}
	defer resp.close()
	if resp.sent.Text != l.Sent.Text { // rejected meanwhile
		l.Answer, l.listed = sharding.Answer{Sent: resp.sent}, nil
	}
	page, err := wire.ReadList(resp, func(enc wire.Encoding, raw []byte) error {
		meta, err := wire.ReadMeta(enc, raw)
		if err != nil {
			l.decodeFailed(err)
			return nil // the list of Run leaves it out as well, so nothing differs
		}
		object := Object{Meta: meta, Hash: hash(meta), Encoding: enc}
		l.Observe(meta.UID, object.Hash)
		if l.listed != nil {
			l.listed[object.Hash] = true
		}
		if l.Handler.Owns(object.Hash, meta.Namespace) {
			l.visit(object)
		}
		return ctx.Err()
	})
	if err == nil {
		err = l.Verify(page)
	}
	return page, err
}

// compareWithAll lists everything, and returns an error if a filtered list, which was made at a
// version, has left out objects that its selector asks for. An object that is older than that list
// and exists now existed then, so a difference is not a race.
func (r *Reflector) compareWithAll(ctx context.Context, filtered *metadataList, version uint64) error {
	omitted := 0
	all := &metadataList{Reflector: r, visit: func(o Object) {
		v := ParseVersion(o.ResourceVersion)
		if v != 0 && v <= version && len(o.UID) > 0 && filtered.Sent.Covers(o.Hash) && !filtered.listed[o.Hash] {
			omitted++
		}
	}}
	now, err := all.read(ctx)
	switch {
	case err != nil:
		r.logger.Debug("could not verify that the API server's filter leaves nothing out", "err", err)
		return nil
	case omitted == 0 || ParseVersion(now) < version: // versions of a restored backup
		return nil
	}
	err = fmt.Errorf("%w: it has left out %d objects that %q asks for", sharding.ErrMismatch, omitted, filtered.Sent.Text)
	r.noteMismatch(err)
	return err
}
