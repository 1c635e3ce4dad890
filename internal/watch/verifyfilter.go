package watch

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/watch/sharding"
	"github.com/statefleet/statefleet/internal/wire"
)

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
	// With Metadata, whole objects must not be requested. Other resources verify the server.
	if r.Form.Metadata || !r.Sharding.MayVerify() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	err := r.listForVerification(ctx, sent)
	if errors.Is(err, sharding.ErrMismatch) {
		r.noteMismatch(err)
		return err
	}
	if err != nil {
		r.logger.Debug("could not verify whether the API server applies the shard selector", "err", err)
		r.Sharding.VerifyAgain()
	}
	return nil
}

func (r *Reflector) listForVerification(ctx context.Context, sent sharding.Selector) error {
	o := metav1.ListOptions{Limit: verifyPage, ShardSelector: sent.Text, FieldSelector: r.FieldSelector, LabelSelector: r.LabelSelector}
	resp, err := r.send(ctx, o, "")
	if err != nil {
		return err
	}
	defer resp.close()
	answer := sharding.Answer{Sent: sent}
	list, err := wire.ReadList(resp, func(enc wire.Encoding, raw []byte) error {
		meta, err := wire.ReadMeta(enc, raw)
		if err == nil {
			answer.Observe(meta.UID, hash(meta))
		}
		return err
	})
	if err != nil {
		return err
	}
	return answer.Verify(list)
}

// noteMismatch records the error of a list if it is a mismatch.
func (r *Reflector) noteMismatch(err error) {
	if errors.Is(err, sharding.ErrMismatch) {
		r.Sharding.Fail(r.logger, err)
	}
}
