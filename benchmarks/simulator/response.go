package simulator

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// response writes one HTTP response.
type response struct {
	*bufio.Writer
	to       http.ResponseWriter
	encoding *encoding
	traffic  *Traffic // nil if the path is no resource
	started  bool
}

func newResponse(w http.ResponseWriter) *response {
	r := &response{to: w}
	r.Writer = bufio.NewWriterSize(bodyWriter{r}, 64<<10)
	return r
}

// end flushes the buffer. An error means that the client is gone.
func (r *response) end() { _ = r.Flush() }

// writeHeader sends the status code and the content type.
func (r *response) writeHeader(code int, mediaType string) {
	r.started = true
	r.to.Header().Set("Content-Type", mediaType)
	r.to.Header().Set("Cache-Control", "no-cache, private")
	r.to.WriteHeader(code)
}

// push flushes everything written so far to the client.
func (r *response) push() error {
	if err := r.Flush(); err != nil {
		return err
	}
	return http.NewResponseController(r.to).Flush()
}

// document answers with one API object or list.
func (r *response) document(code int, obj runtime.Object) error {
	r.writeHeader(code, r.encoding.MediaType)
	return r.encoding.Serializer.Encode(obj, r)
}

// object answers with a stored object.
func (r *response) object(o *object) error {
	converted, err := r.encoding.convert(o)
	if err != nil {
		return err
	}
	return r.document(http.StatusOK, converted)
}

// fail answers with the status of err. If the response has already begun, the
// client only sees it end early.
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

// bodyWriter is the destination of a response's buffer. It counts the bytes.
type bodyWriter struct{ *response }

func (b bodyWriter) Write(p []byte) (int, error) {
	n, err := b.to.Write(p)
	if b.traffic != nil {
		b.traffic.Bytes.Add(uint64(n))
	}
	return n, err
}

// asStatus converts an error as a kube-apiserver does: to the status that it
// carries, or else to a 500 without details.
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

// tooLargeVersion returns the error for a request of a newer resourceVersion than
// the current one.
func tooLargeVersion(wanted, current uint64) error {
	const retrySeconds = 1
	message := fmt.Sprintf("Too large resource version: %d, current: %d", wanted, current)
	err := apierrors.NewTimeoutError(message, retrySeconds)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{
		{Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version"},
	}
	return err
}
