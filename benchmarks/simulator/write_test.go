package simulator

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// A fleet writes its ConfigMap by updates of the version read last, and by patches of single keys.
func TestConfigMapsCanBeWritten(t *testing.T) {
	cluster := New(Options{})
	server, err := cluster.Serve("")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	if err := cluster.Put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}, Data: map[string]string{"kept": "1"}}); err != nil {
		t.Fatal(err)
	}
	for _, contentType := range []string{"application/json", "application/vnd.kubernetes.protobuf"} {
		client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL(), ContentConfig: rest.ContentConfig{ContentType: contentType}})
		if err != nil {
			t.Fatal(err)
		}
		maps := client.CoreV1().ConfigMaps("a")
		read, err := maps.Get(t.Context(), "b", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		patched, err := maps.Patch(t.Context(), "b", types.MergePatchType, []byte(`{"data":{"mine":"`+contentType+`","other":null}}`), metav1.PatchOptions{})
		if err != nil || patched.Data["mine"] != contentType || patched.Data["kept"] != "1" || patched.ResourceVersion == read.ResourceVersion {
			t.Errorf("%s: patch: got %v, error %v, want the key changed, the other kept", contentType, patched, err)
		}
		again, err := maps.Patch(t.Context(), "b", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
		if err != nil || again.ResourceVersion != patched.ResourceVersion {
			t.Errorf("%s: empty patch: got %v, error %v, want an unchanged version", contentType, again, err)
		}
		read.Data["late"] = "yes"
		if _, err := maps.Update(t.Context(), read, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
			t.Errorf("%s: update of an outdated version: got error %v, want Conflict", contentType, err)
		}
		patched.Data = map[string]string{"kept": "1"}
		updated, err := maps.Update(t.Context(), patched, metav1.UpdateOptions{})
		if err != nil || len(updated.Data) != 1 || updated.UID != read.UID {
			t.Errorf("%s: update: got %v, error %v, want one key and the same UID", contentType, updated, err)
		}
		if _, err := maps.Update(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "absent"}}, metav1.UpdateOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("%s: update of an absent object: got error %v, want NotFound", contentType, err)
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
		if _, err := client.CoreV1().Pods("a").Update(t.Context(), pod, metav1.UpdateOptions{}); !apierrors.IsMethodNotSupported(err) {
			t.Errorf("%s: update of a pod: got error %v, want MethodNotSupported", contentType, err)
		}
		if _, err := maps.Create(t.Context(), read, metav1.CreateOptions{}); !apierrors.IsMethodNotSupported(err) {
			t.Errorf("%s: create: got error %v, want MethodNotSupported", contentType, err)
		}
	}
}
