package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
)

// maxWrite bounds the body of a request that writes, as etcd does.
const maxWrite = 1 << 20

// edit changes a ConfigMap, and tells whether it did.
type edit func(held *corev1.ConfigMap) (changed bool, err error)

// serveWrite answers update and merge patch of the data of a ConfigMap, which
// is what a fleet needs to agree on something. All else is read-only.
func (h *handler) serveWrite(a *answer, r *http.Request) error {
	at, ok := parsePath(r.URL.Path)
	collection := h.collections[at.GroupVersionResource]
	if !ok || at.Resource != "configmaps" || collection == nil || at.namespace == "" || at.name == "" || len(at.rest) > 0 {
		return errReadOnly(r.Method)
	}
	body, err := io.ReadAll(http.MaxBytesReader(a.to, r.Body, maxWrite))
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	var change edit
	switch {
	case r.Method == http.MethodPut:
		change, err = updateOf(body)
	case r.Method == http.MethodPatch && r.Header.Get("Content-Type") == string(types.MergePatchType):
		change, err = patchOf(body)
	default:
		return errReadOnly(r.Method)
	}
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	held := &corev1.ConfigMap{}
	written, err := collection.update(at.objectKey, held, func() (bool, error) { return change(held) })
	if err != nil {
		return err
	}
	a.head(http.StatusOK, a.form.mediaType())
	return a.form.writeObject(a.Writer, collection.kind, written)
}

// updateOf replaces the data, if the object is still the one that was read.
func updateOf(body []byte) (edit, error) {
	decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		return nil, err
	}
	sent, ok := decoded.(*corev1.ConfigMap)
	if !ok {
		return nil, errors.New("this is no ConfigMap")
	}
	return func(held *corev1.ConfigMap) (bool, error) {
		if sent.ResourceVersion != "" && sent.ResourceVersion != held.ResourceVersion {
			return false, apierrors.NewConflict(corev1.Resource("configmaps"), held.Name, errors.New("the object has been modified"))
		}
		changed := !maps.Equal(held.Data, sent.Data)
		held.Data = sent.Data
		return changed, nil
	}, nil
}

// patchOf sets keys of the data, and removes those that are null.
func patchOf(body []byte) (edit, error) {
	var patch struct {
		Data map[string]*string `json:"data"`
	}
	if err := json.Unmarshal(body, &patch); err != nil {
		return nil, err
	}
	return func(held *corev1.ConfigMap) (bool, error) {
		was := maps.Clone(held.Data)
		if held.Data == nil {
			held.Data = map[string]string{}
		}
		for key, value := range patch.Data {
			if delete(held.Data, key); value != nil {
				held.Data[key] = *value
			}
		}
		return !maps.Equal(was, held.Data), nil
	}, nil
}
