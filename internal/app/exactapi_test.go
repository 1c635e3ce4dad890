package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// exactAPI is an API server for watches that begin with a list. It serves objects exactly as they were added, including
// their resourceVersions: built-in ones as protobuf, custom resources and their definitions as JSON. Objects can be
// added at any time.
type exactAPI struct {
	mu   sync.Mutex
	log  []exactObject
	more chan struct{} // closed by the next addition
}

// exactObject is an object in its collection.
type exactObject struct {
	path   string
	fields fields.Set
	frame  []byte // an event of a watch
}

// newExactAPI returns an API and the flag with its address.
func newExactAPI(t *testing.T) (*exactAPI, string) {
	t.Helper()
	a := &exactAPI{more: make(chan struct{})}
	s := httptest.NewServer(a)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return a, "--apiserver=" + s.URL
}

// add adds an object of a resource.
func (a *exactAPI) add(t *testing.T, resource schema.GroupVersionResource, object runtime.Object) {
	t.Helper()
	frame, err := frameOf("ADDED", object)
	if err != nil {
		t.Fatal(err)
	}
	o := object.(metav1.Object)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log = append(a.log, exactObject{
		path:   collectionPath(resource),
		fields: fields.Set{"metadata.namespace": o.GetNamespace(), "metadata.name": o.GetName()},
		frame:  frame,
	})
	close(a.more)
	a.more = make(chan struct{})
}

func collectionPath(r schema.GroupVersionResource) string {
	if r.Group == "" {
		return "/api/" + r.Version + "/" + r.Resource
	}
	return "/apis/" + r.Group + "/" + r.Version + "/" + r.Resource
}

// frameOf returns an event as it stands in the stream of a watch.
func frameOf(event string, object runtime.Object) ([]byte, error) {
	var frame bytes.Buffer
	if custom, ok := object.(*unstructured.Unstructured); ok {
		raw, err := custom.MarshalJSON()
		_, _ = fmt.Fprintf(&frame, `{"type":%q,"object":%s}`+"\n", event, raw)
		return frame.Bytes(), err
	}
	var raw bytes.Buffer
	if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(object, &raw); err != nil {
		return nil, err
	}
	e := metav1.WatchEvent{Type: event, Object: runtime.RawExtension{Raw: raw.Bytes()}}
	text, err := e.Marshal()
	if err != nil {
		return nil, err
	}
	_, err = protobuf.LengthDelimitedFramer.NewFrameWriter(&frame).Write(text)
	return frame.Bytes(), err
}

// from returns the frames of a collection from a position in the log on, the end of the log, and a channel that the
// next addition closes.
func (a *exactAPI) from(position int, path string, s fields.Selector) (frames [][]byte, end int, more <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.log[position:] {
		if o.path == path && s.Matches(o.fields) {
			frames = append(frames, o.frame)
		}
	}
	return frames, len(a.log), a.more
}

func (a *exactAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	selector, err := fields.ParseSelector(r.FormValue("fieldSelector"))
	if err != nil || r.FormValue("sendInitialEvents") != "true" {
		status := metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound}
		w.Header().Set("Content-Type", runtime.ContentTypeJSON)
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(status)
		return
	}
	path := r.URL.Path
	if before, rest, ok := strings.Cut(path, "/namespaces/"); ok {
		namespace, plural, _ := strings.Cut(rest, "/")
		path = before + "/" + plural
		selector = fields.AndSelectors(selector, fields.OneTermEqualSelector("metadata.namespace", namespace))
	}
	a.watch(w, r, path, selector)
}

// watch sends the existing objects, and events until the client leaves.
func (a *exactAPI) watch(w http.ResponseWriter, r *http.Request, path string, s fields.Selector) {
	frames, end, more := a.from(0, path, s)
	mark := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Mark"}}
	mark.SetResourceVersion(strconv.Itoa(end + 1))
	mark.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	var bookmark runtime.Object = mark
	contentType := runtime.ContentTypeJSON
	if len(frames) > 0 && frames[0][0] != '{' {
		contentType = runtime.ContentTypeProtobuf + ";stream=watch"
		bookmark = &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			ResourceVersion: mark.GetResourceVersion(), Annotations: mark.GetAnnotations(),
		}}
	}
	w.Header().Set("Content-Type", contentType)
	last, err := frameOf("BOOKMARK", bookmark)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	frames = append(frames, last)
	for {
		for _, f := range frames {
			_, _ = w.Write(f)
		}
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-more:
		}
		frames, end, more = a.from(end, path, s)
	}
}
