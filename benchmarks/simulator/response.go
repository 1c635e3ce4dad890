package simulator

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// response is the body of one response. A client that takes no data for
// stalledAfter is cut off.
type response struct {
	*bufio.Writer
	to         http.ResponseWriter
	controller *http.ResponseController
	encoding   *encoding
	count      func(Traffic) // nil outside of resources
	started    bool
}

const (
	responseBuffer = 64 << 10
	stalledAfter   = 30 * time.Second
)

func newResponse(w http.ResponseWriter) *response {
	r := &response{to: w, controller: http.NewResponseController(w)}
	r.Writer = bufio.NewWriterSize(bodyWriter{r}, responseBuffer)
	return r
}

// end sends the rest. The deadline is renewed for what net/http itself still
// has to write.
func (r *response) end() {
	_ = r.Flush() // nothing can be told to a client that is gone
	r.extendDeadline()
}

func (r *response) extendDeadline() {
	// Recorders in tests have no deadlines.
	_ = r.controller.SetWriteDeadline(time.Now().Add(stalledAfter))
}

// head sends status and content type.
func (r *response) head(code int, mediaType string) {
	r.started = true
	r.to.Header().Set("Content-Type", mediaType)
	r.to.Header().Set("Cache-Control", "no-cache, private")
	r.to.WriteHeader(code)
}

// push sends everything written so far to the client.
func (r *response) push() error {
	if err := r.Flush(); err != nil {
		return err
	}
	r.extendDeadline()
	return r.controller.Flush()
}

// document answers with one API object or list.
func (r *response) document(code int, obj runtime.Object) error {
	r.head(code, r.encoding.MediaType)
	return r.encoding.Serializer.Encode(obj, r)
}

// object answers with a stored object.
func (r *response) object(o *object) error {
	shown, err := r.encoding.show(o)
	if err != nil {
		return err
	}
	return r.document(http.StatusOK, shown)
}

// fail answers with the status of err, unless the response has begun: then the
// client sees it end early.
func (r *response) fail(err error) {
	if r.started {
		return
	}
	status := asStatus(err)
	if details := status.Details; details != nil && details.RetryAfterSeconds > 0 {
		r.to.Header().Set("Retry-After", formatVersion(uint64(details.RetryAfterSeconds)))
	}
	_ = r.document(int(status.Code), status) // a status can always be encoded
}

// bodyWriter is behind the buffer of a response.
type bodyWriter struct{ *response }

func (b bodyWriter) Write(p []byte) (int, error) {
	b.extendDeadline()
	n, err := b.to.Write(p)
	if b.count != nil {
		b.count(Traffic{Bytes: uint64(n)})
	}
	return n, err
}

// asStatus is how a kube-apiserver shows an error: its status if it has one,
// else a bare 500.
func asStatus(err error) *metav1.Status {
	status := metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusInternalServerError,
		Reason: metav1.StatusReasonUnknown, Message: err.Error(),
	}
	var api apierrors.APIStatus
	if errors.As(err, &api) {
		status = api.Status()
	}
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	return &status
}

func failure(code int32, reason metav1.StatusReason, message string) error {
	status := metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}
	return &apierrors.StatusError{ErrStatus: status}
}

func errUnknownPath() error {
	return failure(http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
}

func errNotAcceptable() error {
	return failure(http.StatusNotAcceptable, metav1.StatusReasonNotAcceptable,
		"only the following media types are accepted: application/json, application/vnd.kubernetes.protobuf")
}

// tooLargeVersion answers a client that knows a newer state than this server.
func tooLargeVersion(wanted, current uint64) error {
	const retrySeconds = 1
	message := fmt.Sprintf("Too large resource version: %d, current: %d", wanted, current)
	err := apierrors.NewTimeoutError(message, retrySeconds)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{
		{Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version"},
	}
	return err
}
