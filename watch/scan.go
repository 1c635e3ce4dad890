package watch

import (
	"context"
	"fmt"
	"math/rand/v2"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/wire"
)

// scanPage is how many objects a Scan asks for at a time, as kubectl does.
const scanPage = 500

// Scan lists what there is now, page by page, and calls visit with each object
// that is to be held. Its Raw is nil, and the object is valid until visit returns.
// Nothing reaches the Sink. It may be called while the Source runs; an error means
// that the list was not complete. The version is that of the list, which is not
// from a cache: nothing that was heard of before Scan was called is newer.
//
// A list that the API server filters cannot show that the filter leaves out what is
// to be held. So a part of the Scans, as large as the share of all objects that the
// selector asks for, also lists everything and compares. On average a Scan thus reads
// twice that share, and all replicas together read twice as much as there is.
func (s *Source) Scan(ctx context.Context, visit func(o Object)) (resourceVersion string, err error) {
	defer s.Client.hurry()()
	filtered := &scan{Source: s, foreign: foreign{sent: s.Sharding.selector(s.Selector())}, visit: visit}
	if sent := filtered.sent; sent.text != "" && rand.Float64() < sent.ranges.Share() {
		filtered.listed = map[uint64]bool{}
	}
	resourceVersion, err = filtered.read(ctx)
	switch {
	case err != nil:
		s.noteMismatch(err)
		return "", fmt.Errorf("list %s for comparison: %w", s.Name, err)
	case filtered.count > 0 && !s.Form.Metadata: // lists of metadata do not say whether they are filtered
		err = s.verifyFilter(ctx, filtered.sent)
	case filtered.listed != nil:
		err = s.compareWithAll(ctx, filtered, ParseVersion(resourceVersion))
	}
	if err != nil {
		return "", fmt.Errorf("compare %s with a list of everything: %w", s.Name, err)
	}
	return resourceVersion, nil
}

// scan is a list of metadata under way.
type scan struct {
	*Source
	foreign
	visit  func(o Object)
	listed map[uint64]bool // hashes of all objects; nil unless they are wanted
}

// read reads all pages.
func (c *scan) read(ctx context.Context) (resourceVersion string, err error) {
	o := metav1.ListOptions{Limit: scanPage, ShardSelector: c.sent.wanted}
	for {
		page, err := c.page(ctx, o)
		if err == nil && page.Continue != "" && page.Continue == o.Continue {
			err = errEndless
		}
		if err != nil {
			return "", err
		}
		if page.Continue == "" {
			return page.ResourceVersion, nil
		}
		o.Continue = page.Continue
	}
}

// page reads one page.
func (c *scan) page(ctx context.Context, o metav1.ListOptions) (metav1.ListMeta, error) {
	body, sent, err := c.openAs(ctx, o, c.Form.AcceptIdentity())
	if err != nil {
		return metav1.ListMeta{}, err
	}
	defer func() { _ = body.Close() }()
	if sent.text != c.sent.text { // rejected meanwhile
		c.foreign, c.listed = foreign{sent: sent}, nil
	}
	list, err := wire.ReadList(countingReader{body, c.counters.bytes}, func(enc wire.Encoding, raw []byte) error {
		meta, err := wire.ReadMeta(enc, raw)
		if err != nil {
			c.unreadable(err)
			return nil // a list leaves it out as well, so that nothing differs
		}
		h := hash(meta)
		c.saw(meta, h)
		if c.listed != nil {
			c.listed[h] = true
		}
		if c.Owned(h) && (c.Wanted == nil || c.Wanted(meta.Namespace)) {
			c.visit(Object{Meta: meta, Hash: h, Encoding: enc})
		}
		return ctx.Err()
	})
	if err == nil {
		err = c.verify(list)
	}
	return list, err
}

// compareWithAll lists everything, and returns an error if a list that was filtered, and had a version, has left out
// what it was to have. An object that is older than that list and still there was there then, so this is no race.
func (s *Source) compareWithAll(ctx context.Context, filtered *scan, version uint64) error {
	omitted := 0
	all := &scan{Source: s, visit: func(o Object) {
		v := ParseVersion(o.ResourceVersion)
		if v != 0 && v <= version && len(o.UID) > 0 && filtered.sent.covers(o.Hash) && !filtered.listed[o.Hash] {
			omitted++
		}
	}}
	now, err := all.read(ctx)
	switch {
	case err != nil:
		s.logger.Debug("could not verify that the API server's filter leaves nothing out", "err", err)
		return nil
	case omitted == 0 || ParseVersion(now) < version: // those of a restored backup
		return nil
	}
	err = fmt.Errorf("%w: it has left out %d objects that %q asks for", errMismatch, omitted, filtered.sent.text)
	s.noteMismatch(err)
	return err
}
