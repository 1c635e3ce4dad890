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
	// verifyPage is how many objects are listed to verify the API server's filter: enough for
	// objects of other shards to be among them if the server uses another hash.
	verifyPage = 50
	// verifyTimeout bounds how long a watch waits for that.
	verifyTimeout = 10 * time.Second
)

// verifyFilter finds out why objects came that the selector does not ask for. A watch does not say
// whether the API server applies the selector, and neither do lists of metadata; a list of objects
// does. Reflectors ask in turn, and seldom, since most API servers ignore the selector. The error
// is nil unless the server was proved wrong.
func (r *Reflector) verifyFilter(ctx context.Context, sent sharding.Selector) error {
	// Whole objects are not requested where only metadata may be sent; other resources verify the
	// server.
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

// noteMismatch tells the process of a mismatch, if the error of a list is one.
func (r *Reflector) noteMismatch(err error) {
	if errors.Is(err, sharding.ErrMismatch) {
		r.Sharding.Fail(r.logger, err)
	}
}
