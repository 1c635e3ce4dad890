package watch

import (
	"context"
	"errors"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/watch/sharding"
)

// errIdleTimeout ends a list that receives nothing. A connection can stay open forever.
var errIdleTimeout = errors.New("the API server has sent nothing for too long")

// maxRetries is how often client-go repeats a request that is refused with Retry-After. API servers
// ask for up to 32 seconds. More retries would outlast the idle timeout, and a refused list would
// look like one without an answer.
const maxRetries = 3

// response is the body of a successful answer. It counts the bytes, and distinguishes the end of
// the connection from bytes that cannot be decoded. One goroutine reads it.
type response struct {
	reflector *Reflector
	sent      sharding.Selector
	body      io.ReadCloser
	cancel    context.CancelCauseFunc
	ctx       context.Context
	watch     bool
	idle      *time.Timer // nil for a watch that may be silent
	resume    func()      // ends the suspension of batching
	err       error       // of the connection, io.EOF included
}

// open requests a list or watch in a media type; "" stands for those of the client. A server that
// rejects the shardSelector is asked again with a shorter one, or without one: KEP-5866 is an alpha
// feature whose grammar may change, and our own filter gives the same result.
func (r *Reflector) open(ctx context.Context, o metav1.ListOptions, accept string) (*response, error) {
	o.FieldSelector, o.LabelSelector = r.FieldSelector, r.LabelSelector
	for wanted := o.ShardSelector; ; {
		sent := r.Sharding.Selector(wanted)
		o.ShardSelector = sent.Text
		resp, err := r.send(ctx, o, accept)
		if err == nil {
			resp.sent = sent
			return resp, nil
		}
		if !r.Sharding.Reject(sent, err, r.logger) {
			return nil, err
		}
	}
}

// send sends a request. A list, also one that is streamed, ends when nothing arrives for the idle
// timeout, and is not read in batches.
func (r *Reflector) send(ctx context.Context, o metav1.ListOptions, accept string) (*response, error) {
	resp := &response{reflector: r, watch: o.Watch, resume: r.Client.SuspendBatching()}
	resp.ctx, resp.cancel = context.WithCancelCause(ctx)
	if !o.Watch || o.SendInitialEvents != nil {
		resp.idle = time.AfterFunc(r.IdleTimeout, func() { resp.cancel(errIdleTimeout) })
	}
	root := "/apis"
	if r.Resource.Group == "" {
		root = "/api"
	}
	request := r.Client.Get().MaxRetries(maxRetries).AbsPath(root, r.Resource.Group, r.Resource.Version).
		NamespaceIfScoped(r.Namespace, r.Namespace != "").Resource(r.Resource.Resource).
		SpecificallyVersionedParams(&o, metav1.ParameterCodec, schema.GroupVersion{Version: "v1"})
	if accept != "" {
		request.SetHeader("Accept", accept)
	}
	body, err := request.Stream(resp.ctx)
	if err != nil {
		err = resp.mapError(err)
		resp.close()
		return nil, err
	}
	resp.body = body
	if resp.idle == nil {
		resp.resume()
	}
	return resp, nil
}

// mapError returns errIdleTimeout for an error that the idle timeout has caused.
func (r *response) mapError(err error) error {
	if errors.Is(context.Cause(r.ctx), errIdleTimeout) {
		return errIdleTimeout
	}
	return err
}

// Read implements io.Reader.
func (r *response) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if n > 0 {
		r.reflector.counters.bytes.Add(float64(n))
		if r.watch {
			r.reflector.status.contact()
		}
		if r.idle != nil {
			r.idle.Reset(r.reflector.IdleTimeout)
		}
	}
	if err != nil {
		r.err = r.mapError(err)
		return n, r.err
	}
	return n, nil
}

// causes reports whether a frame could not be read because the connection has ended.
func (r *response) causes(err error) bool {
	return r.err != nil && (errors.Is(err, r.err) || errors.Is(err, io.ErrUnexpectedEOF))
}

// endList ends what lists have: the idle timeout, and that they are not read in batches. A streamed
// list continues as a watch.
func (r *response) endList() {
	r.resume()
	if r.idle != nil {
		r.idle.Stop()
		r.idle = nil
	}
}

func (r *response) close() {
	r.endList()
	r.cancel(nil)
	if r.body != nil {
		_ = r.body.Close()
	}
}
