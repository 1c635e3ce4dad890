package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
)

// serveWrite answers updates and merge patches of a ConfigMap's data, because a
// fleet keeps its topology there. Everything else is read-only.
func (h *handler) serveWrite(response *response, r *http.Request) error {
	t, ok := h.parseTarget(r.URL.Path)
	patch := r.Method == http.MethodPatch && r.Header.Get("Content-Type") == string(types.MergePatchType)
	if !ok || t.kind.Resource != "configmaps" || t.key.name == "" || !patch && r.Method != http.MethodPut {
		return failure(http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed,
			r.Method+" is not supported: the simulated API is read-only except for the data of ConfigMaps")
	}
	body, err := io.ReadAll(http.MaxBytesReader(response.to, r.Body, 1<<20)) // the size limit of a ConfigMap
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	stored := &corev1.ConfigMap{}
	written, err := t.update(t.key, stored, func() (bool, error) {
		before := maps.Clone(stored.Data)
		change := replaceData
		if patch {
			change = patchData
		}
		err := change(stored, body)
		return !maps.Equal(before, stored.Data), err
	})
	if err != nil {
		return err
	}
	return response.object(written)
}

// replaceData sets the data to that of an encoded ConfigMap. It returns a Conflict
// if the object has changed since the client read it.
func replaceData(stored *corev1.ConfigMap, body []byte) error {
	var sent corev1.ConfigMap
	if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, &sent); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	if sent.ResourceVersion != "" && sent.ResourceVersion != stored.ResourceVersion {
		modified := errors.New("the object has been modified")
		return apierrors.NewConflict(corev1.Resource("configmaps"), stored.Name, modified)
	}
	stored.Data = sent.Data
	return nil
}

// patchData applies a merge patch: it sets keys of the data, and removes those that are null.
func patchData(stored *corev1.ConfigMap, body []byte) error {
	var patch struct {
		Data map[string]*string `json:"data"`
	}
	if err := json.Unmarshal(body, &patch); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	if stored.Data == nil {
		stored.Data = map[string]string{}
	}
	for key, value := range patch.Data {
		if delete(stored.Data, key); value != nil {
			stored.Data[key] = *value
		}
	}
	return nil
}
