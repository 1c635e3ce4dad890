package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/wire"
)

// valuesAreNotSent checks that the API server supports the forms in which Secrets and ConfigMaps are requested, in
// lists, in streamed lists and with a shard selector, and sends no value in any of them. What it sends must suffice for
// every family.
func (w *world) valuesAreNotSent(t *testing.T) {
	client := w.cluster.Client().CoreV1()
	value, meta := rand.Text(), metav1.ObjectMeta{Name: "sealed"}
	secret := &corev1.Secret{ObjectMeta: meta, Type: "example.com/sealed", StringData: map[string]string{"key": value}}
	if _, err := client.Secrets("default").Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	configMap := &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"key": value}}
	if _, err := client.ConfigMaps("default").Create(t.Context(), configMap, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	const (
		streamed = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1"
		all      = "shardSelector=shardRange(object.metadata.uid,'0x0000000000000000','0x10000000000000000')"
	)
	metadata, table := wire.Form{Metadata: true}, wire.Form{Metadata: true, Column: "Type", Field: "type"}
	for _, query := range []string{"", all, streamed, streamed + "&" + all} {
		for resource, forms := range map[string][]wire.Form{"secrets": {metadata, table}, "configmaps": {metadata}} {
			for _, form := range forms {
				what := fmt.Sprintf("%s?%s as %+v", resource, query, form)
				watch := strings.Contains(query, "watch=1")
				body, err := client.RESTClient().Get().RequestURI("/api/v1/namespaces/default/"+resource+"?"+query).
					SetHeader("Accept", form.Accept(watch)).DoRaw(t.Context())
				if err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				if bytes.Contains(body, []byte(value)) || bytes.Contains(body, []byte(base64.StdEncoding.EncodeToString([]byte(value)))) {
					t.Errorf("%s: the response contains the value", what)
				}
				for text, want := range map[string]bool{
					"sealed": true, "example.com/sealed": form.Column != "", "k8s.io/initial-events-end": watch,
				} {
					if bytes.Contains(body, []byte(text)) != want {
						t.Errorf("%s: response contains %q: got %v, want %v", what, text, !want, want)
					}
				}
			}
		}
	}
	replica := w.startReplica(t, "--resources=secrets,configmaps")
	replica.WaitReady(t)
	page := replica.Scrape(t)
	for _, series := range []string{
		`kube_secret_type{namespace="default",secret="sealed",type="example.com/sealed"}`,
		`kube_configmap_info{configmap="sealed",namespace="default"}`,
	} {
		if page.Samples[series] != "1" {
			t.Errorf("%s: got %q, want 1", series, page.Samples[series])
		}
	}
	err := errors.Join(
		client.Secrets("default").Delete(t.Context(), meta.Name, metav1.DeleteOptions{}),
		client.ConfigMaps("default").Delete(t.Context(), meta.Name, metav1.DeleteOptions{}),
	)
	if err != nil {
		t.Error(err)
	}
}
