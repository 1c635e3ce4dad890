package objects

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// serve returns the configuration of a client of an API server that answers with an object, and the
// requests that the server receives.
func serve(t *testing.T, answer any) (*rest.Config, *[]string) {
	var requests []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests = append(requests, strings.TrimSpace(r.Method+" "+r.URL.String()+" "+r.Header.Get("Content-Type")+" "+string(body)))
		w.Header().Set("Content-Type", "application/json")
		if status, ok := answer.(metav1.Status); ok {
			w.WriteHeader(int(status.Code))
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: runtime.ContentTypeJSON}}, &requests
}

func configMaps(t *testing.T, config *rest.Config) API[configMap] {
	t.Helper()
	api, err := NewClient(config, &corev1.ConfigMap{}, &corev1.ConfigMapList{}, ClientOptions{
		Resource: corev1.SchemeGroupVersion.WithResource("configmaps"), Namespace: "ns", FieldManager: "me",
	})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// kinded returns the object "a" with its kind, as in an answer.
func kinded(version string) configMap {
	o := object("a", version)
	o.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}
	return o
}

func TestRequestsOfOneObject(t *testing.T) {
	config, requests := serve(t, kinded("5"))
	api := configMaps(t, config)
	for _, send := range []func() (configMap, error){
		func() (configMap, error) { return api.Get(t.Context(), "a") },
		func() (configMap, error) { return api.Update(t.Context(), kinded("4")) },
		func() (configMap, error) { return api.MergePatch(t.Context(), "a", []byte(`{"data":{}}`)) },
	} {
		if got, err := send(); err != nil || got.Name != "a" || got.ResourceVersion != "5" {
			t.Errorf("got %v with error %v, want version 5 of a", got, err)
		}
	}
	const path = "/api/v1/namespaces/ns/configmaps/a"
	want := []string{"GET " + path, "PUT " + path + "?fieldManager=me application/json {", "PATCH " + path + `?fieldManager=me application/merge-patch+json {"data":{}}`}
	if !slices.EqualFunc(*requests, want, strings.HasPrefix) {
		t.Errorf("got requests %q, want %q", *requests, want)
	}
}

func TestRequestsOfAllObjects(t *testing.T) {
	config, requests := serve(t, &appsv1.StatefulSetList{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSetList"}, ListMeta: metav1.ListMeta{ResourceVersion: "9"},
		Items: []appsv1.StatefulSet{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, {ObjectMeta: metav1.ObjectMeta{Name: "b"}}},
	})
	api, err := NewClient(config, &appsv1.StatefulSet{}, &appsv1.StatefulSetList{}, ClientOptions{Resource: appsv1.SchemeGroupVersion.WithResource("statefulsets")})
	if err != nil {
		t.Fatal(err)
	}
	items, version, err := api.List(t.Context(), metav1.ListOptions{LabelSelector: "app=a"})
	if err != nil || version != "9" || len(items) != 2 || items[0].Name != "a" || items[1].Name != "b" {
		t.Errorf("got %v of version %q with error %v, want a and b of version 9", items, version, err)
	}
	if want := []string{"GET /apis/apps/v1/statefulsets?labelSelector=app%3Da"}; !slices.Equal(*requests, want) {
		t.Errorf("got requests %q, want %q", *requests, want)
	}
}

func TestWatchDecodesEvents(t *testing.T) {
	config, requests := serve(t, map[string]any{"type": "ADDED", "object": kinded("5")})
	timeout := int64(60)
	events, err := configMaps(t, config).Watch(t.Context(), metav1.ListOptions{ResourceVersion: "4", AllowWatchBookmarks: true, TimeoutSeconds: &timeout})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	event := <-events.ResultChan()
	if got, ok := event.Object.(configMap); !ok || event.Type != watch.Added || got.Name != "a" {
		t.Errorf("got event %+v, want ADDED of a", event)
	}
	if _, ok := <-events.ResultChan(); ok {
		t.Error("got another event after the API server has ended the watch")
	}
	if want := []string{"GET /api/v1/namespaces/ns/configmaps?allowWatchBookmarks=true&resourceVersion=4&timeoutSeconds=60&watch=true"}; !slices.Equal(*requests, want) {
		t.Errorf("got requests %q, want %q", *requests, want)
	}
}

// TestProtobufIsDecoded covers built-in resources, which are requested in protobuf. The client's scheme has only the
// types of one resource.
func TestProtobufIsDecoded(t *testing.T) {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(corev1.SchemeGroupVersion, &corev1.ConfigMap{}, &corev1.ConfigMapList{})
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	encode := func(o runtime.Object) []byte {
		data, err := runtime.Encode(protobuf.NewSerializer(scheme, scheme), o)
		if err != nil {
			t.Error(err)
		}
		return data
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Get("watch") != "":
			w.Header().Set("Content-Type", runtime.ContentTypeProtobuf+";stream=watch")
			event := &metav1.WatchEvent{Type: string(watch.Modified), Object: runtime.RawExtension{Raw: encode(kinded("6"))}}
			var frame bytes.Buffer
			if err := protobuf.NewRawSerializer(scheme, scheme).Encode(event, &frame); err != nil {
				t.Error(err)
			}
			_, _ = protobuf.LengthDelimitedFramer.NewFrameWriter(w).Write(frame.Bytes())
		case strings.HasSuffix(r.URL.Path, "/a"):
			w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
			body, _ := io.ReadAll(r.Body)
			sent, _, err := protobuf.NewSerializer(scheme, scheme).Decode(body, nil, nil)
			if r.Method == http.MethodPut && (err != nil || sent.(configMap).ResourceVersion != "4") {
				t.Errorf("received %v with error %v, want version 4", sent, err)
			}
			_, _ = w.Write(encode(kinded("5")))
		default:
			w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
			_, _ = w.Write(encode(&corev1.ConfigMapList{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMapList"}, ListMeta: metav1.ListMeta{ResourceVersion: "9"},
				Items: []corev1.ConfigMap{*object("a", "5")},
			}))
		}
	}))
	defer server.Close()
	api := configMaps(t, &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{
		ContentType: runtime.ContentTypeProtobuf, AcceptContentTypes: runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON,
	}})
	if got, err := api.Get(t.Context(), "a"); err != nil || got.ResourceVersion != "5" {
		t.Errorf("got %v with error %v, want version 5", got, err)
	}
	if got, err := api.Update(t.Context(), kinded("4")); err != nil || got.ResourceVersion != "5" {
		t.Errorf("the update returned %v with error %v, want version 5", got, err)
	}
	if got, version, err := api.List(t.Context(), metav1.ListOptions{}); err != nil || version != "9" || len(got) != 1 || got[0].Name != "a" {
		t.Errorf("listed %v of version %q with error %v, want a of version 9", got, version, err)
	}
	events, err := api.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	event := <-events.ResultChan()
	if got, ok := event.Object.(configMap); !ok || event.Type != watch.Modified || got.ResourceVersion != "6" {
		t.Errorf("got event %+v, want MODIFIED of version 6", event)
	}
	for range events.ResultChan() {
		t.Error("got another event, want only one")
	}
}

func TestErrorsOfTheAPIServerAreReturned(t *testing.T) {
	config, _ := serve(t, apierrors.NewForbidden(corev1.Resource("configmaps"), "a", nil).Status())
	api := configMaps(t, config)
	_, errGet := api.Get(t.Context(), "a")
	_, _, errList := api.List(t.Context(), metav1.ListOptions{})
	_, errWatch := api.Watch(t.Context(), metav1.ListOptions{})
	for _, err := range []error{errGet, errList, errWatch} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("got error %v, want that requests are forbidden", err)
		}
	}
}

func TestAnswerOfAnotherTypeIsAnError(t *testing.T) {
	config, _ := serve(t, &corev1.ConfigMapList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMapList"}})
	if got, err := configMaps(t, config).Get(t.Context(), "a"); err == nil {
		t.Errorf("got %v and no error for an answer of another type", got)
	}
	config, _ = serve(t, kinded("5"))
	if got, _, err := configMaps(t, config).List(t.Context(), metav1.ListOptions{}); err == nil {
		t.Errorf("got %v and no error for an answer of another type", got)
	}
}

func TestInvalidConfigurationIsAnError(t *testing.T) {
	_, err := NewClient(&rest.Config{Host: "://"}, &corev1.ConfigMap{}, &corev1.ConfigMapList{}, ClientOptions{Resource: corev1.SchemeGroupVersion.WithResource("configmaps")})
	if err == nil || !strings.Contains(err.Error(), "configmaps") {
		t.Errorf("got error %v, want one that names the resource", err)
	}
}
