package watch

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/statefleet/statefleet/internal/wire"
)

// scanPage is how many objects a Scan asks for at a time, as kubectl does.
const scanPage = 500

// acceptMetadata asks for the metadata of objects only (KEP-2334). A server that
// cannot answers with whole objects, which do as well.
const acceptMetadata = runtime.ContentTypeProtobuf + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1," +
	runtime.ContentTypeJSON + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1," + runtime.ContentTypeJSON

// Scan lists what there is now, page by page, and calls visit with each object
// that is to be held. Its Raw is nil, and the object is valid until visit returns.
// Nothing reaches the Sink. It may be called while the Source runs; an error means
// that the list was not complete. The version is that of the list, which is not
// from a cache: nothing that was heard of before Scan was called is newer.
func (s *Source) Scan(ctx context.Context, visit func(o Object)) (resourceVersion string, err error) {
	defer s.Client.hurry()()
	o := metav1.ListOptions{Limit: scanPage, ShardSelector: s.Selector()}
	for {
		page, err := s.scanPage(ctx, o, visit)
		if err == nil && page.Continue != "" && page.Continue == o.Continue {
			err = errEndless
		}
		if err != nil {
			return "", fmt.Errorf("list %s for comparison: %w", s.Name, err)
		}
		if page.Continue == "" {
			return page.ResourceVersion, nil
		}
		o.Continue = page.Continue
	}
}

// scanPage reads one page.
func (s *Source) scanPage(ctx context.Context, o metav1.ListOptions, visit func(o Object)) (metav1.ListMeta, error) {
	body, _, err := s.openAs(ctx, o, acceptMetadata)
	if err != nil {
		return metav1.ListMeta{}, err
	}
	defer func() { _ = body.Close() }()
	return wire.ReadList(countingReader{body, s.counters.bytes}, func(enc wire.Encoding, raw []byte) error {
		meta, err := wire.ReadMeta(enc, raw)
		if err != nil {
			return err
		}
		h := hash(meta)
		if s.Owned(h) && (s.Wanted == nil || s.Wanted(meta.Namespace)) {
			visit(Object{Meta: meta, Hash: h, Encoding: enc})
		}
		return ctx.Err()
	})
}
