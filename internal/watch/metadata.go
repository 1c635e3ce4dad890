package watch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/watch/sharding"
)

// ListMetadata lists the objects that exist now, page by page, and calls visit with each owned one.
// Its Raw may have the metadata only. Nothing reaches the Handler. ListMetadata may be called while
// Run runs. An error means that the list was not complete. The version is that of the list. No cache
// answers it, so it is not older than any version known before the call.
//
// A list that the API server filters cannot show that the filter leaves out owned objects. So a
// part of the calls, as large as the share of all objects that the selector asks for, also lists
// everything and compares. On average a call reads twice that share, and all replicas together read
// everything twice.
func (r *Reflector) ListMetadata(ctx context.Context, visit func(o Object)) (resourceVersion string, err error) {
	o := metav1.ListOptions{Limit: pageSize, ShardSelector: r.Selector()}
	sent := r.Sharding.Selector(o.ShardSelector)
	var listed map[uint64]bool // hashes of all objects; nil unless they are needed
	if sent.Text != "" && rand.Float64() < sent.Fraction() {
		listed = map[uint64]bool{}
	}
	foreign := 0
	resourceVersion, err = r.eachPage(ctx, o, func(o metav1.ListOptions) (metav1.ListMeta, error) {
		page, answer, err := r.readMetadata(ctx, o, func(o Object) {
			if listed != nil {
				listed[o.Hash] = true
			}
			if r.Handler.Owns(o.Hash, o.Namespace) {
				visit(o)
			}
		})
		if answer.Sent.Text != sent.Text { // rejected meanwhile
			sent, listed, foreign = answer.Sent, nil, 0
		}
		foreign += answer.Foreign
		return page, err
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("list %s for comparison: %w", r.Name, err)
	case foreign > 0 && !r.Form.Metadata: // lists of metadata do not say whether they are filtered
		err = r.verifyFilter(ctx, sent)
	case listed != nil:
		err = r.compareWithAll(ctx, sent, listed, ParseVersion(resourceVersion))
	}
	if err != nil {
		return "", fmt.Errorf("compare %s with a list of everything: %w", r.Name, err)
	}
	return resourceVersion, nil
}

// compareWithAll lists everything, and returns an error if a filtered list, which was made at a
// version, has left out objects that its selector asks for. An object that is older than that list
// and exists now existed then, so a difference is not a race.
func (r *Reflector) compareWithAll(ctx context.Context, sent sharding.Selector, listed map[uint64]bool, version uint64) error {
	omitted := 0
	now, err := r.eachPage(ctx, metav1.ListOptions{Limit: pageSize}, func(o metav1.ListOptions) (metav1.ListMeta, error) {
		page, _, err := r.readMetadata(ctx, o, func(o Object) {
			v := ParseVersion(o.ResourceVersion)
			if v != 0 && v <= version && len(o.UID) > 0 && sent.Covers(o.Hash) && !listed[o.Hash] {
				omitted++
			}
		})
		return page, err
	})
	switch {
	case err != nil:
		r.logger.Debug("could not verify that the API server's filter leaves nothing out", "err", err)
		return nil
	case omitted == 0 || ParseVersion(now) < version: // versions of a restored backup
		return nil
	}
	err = fmt.Errorf("%w: it has left out %d objects that %q asks for", sharding.ErrMismatch, omitted, sent.Text)
	r.noteMismatch(err)
	return err
}

const (
	// verifyPage is how many objects are listed to verify the API server's filter. If the server uses
	// another hash, some of them belong to other shards.
	verifyPage = 50
	// verifyTimeout is how long a watch waits for the verification.
	verifyTimeout = 10 * time.Second
)

// verifyFilter finds out why foreign objects were received. Neither a watch nor a list of metadata
// says whether the API server applies the selector; a list of objects does. Most API servers ignore
// the selector, so the Sharding limits how often one is asked. The error is nil unless the server
// is proved wrong.
func (r *Reflector) verifyFilter(ctx context.Context, sent sharding.Selector) error {
	// With Metadata, lists do not say so either. Other resources verify the server.
	if r.Form.Metadata || !r.Sharding.MayVerify() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	o := metav1.ListOptions{Limit: verifyPage, ShardSelector: sent.Wanted}
	_, _, err := r.readPage(ctx, o, r.Form.Accept(false), r.Form, func(Object) {})
	if err == nil || errors.Is(err, sharding.ErrMismatch) {
		return err
	}
	r.logger.Debug("could not verify whether the API server applies the shard selector", "err", err)
	r.Sharding.VerifyAgain()
	return nil
}

// noteMismatch records the error of a list if it is a mismatch.
func (r *Reflector) noteMismatch(err error) {
	if errors.Is(err, sharding.ErrMismatch) {
		r.Sharding.Fail(r.logger, err)
	}
}
