package simulator

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func names(pods []corev1.Pod) []string {
	var all []string
	for _, p := range pods {
		all = append(all, p.Namespace+"/"+p.Name)
	}
	return all
}

func listPods(t *testing.T, set kubernetes.Interface, namespace string, options metav1.ListOptions) *corev1.PodList {
	t.Helper()
	list, err := set.CoreV1().Pods(namespace).List(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// eachContentType runs the test with a client of each content type.
func eachContentType(t *testing.T, c *Cluster, test func(t *testing.T, set kubernetes.Interface)) {
	for name, content := range contentTypes() {
		t.Run(name, func(t *testing.T) { test(t, serve(t, c, content)) })
	}
}

func TestListIsOrderedAndComplete(t *testing.T) {
	c := New(Options{})
	putPods(t, c, 100)
	if err := c.Delete(pod("ns-0", "pod-0000")); err != nil {
		t.Fatal(err)
	}
	put(t, c, pod("ns-1", "a-late-one"))
	eachContentType(t, c, func(t *testing.T, set kubernetes.Interface) {
		list := listPods(t, set, "", metav1.ListOptions{})
		got := names(list.Items)
		if len(got) != 100 || !slices.IsSorted(got) || slices.Contains(got, "ns-0/pod-0000") || !slices.Contains(got, "ns-1/a-late-one") {
			t.Errorf("got %v, want 100 sorted pods with ns-1/a-late-one and without ns-0/pod-0000", got)
		}
		if want := formatVersion(c.ResourceVersion()); list.ResourceVersion != want {
			t.Errorf("got resourceVersion %s, want %s", list.ResourceVersion, want)
		}
		p := list.Items[1]
		if p.UID == "" || p.ResourceVersion == "" || p.Spec.Containers[0].Image != "example/app:1" || p.Labels["app"] != p.Name {
			t.Errorf("got %+v, want a whole pod with UID and resourceVersion", p)
		}
	})
}

func TestListSelects(t *testing.T) {
	c := New(Options{})
	putPods(t, c, 9)
	unscheduled := pod("ns-0", "unscheduled")
	unscheduled.Spec.NodeName = ""
	put(t, c, unscheduled, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}})
	eachContentType(t, c, func(t *testing.T, set kubernetes.Interface) {
		f := func(namespace, fields, labels string, want int) {
			t.Helper()
			list := listPods(t, set, namespace, metav1.ListOptions{FieldSelector: fields, LabelSelector: labels})
			if len(list.Items) != want {
				t.Errorf("namespace %q, fields %q, labels %q: got %v, want %d", namespace, fields, labels, names(list.Items), want)
			}
		}
		f("", "", "", 10)
		f("ns-0", "", "", 4)
		f("ns", "", "", 0)
		f("", "metadata.namespace=ns-0", "", 4)
		f("", "metadata.namespace!=ns-0", "", 6)
		f("", "metadata.namespace!=ns-0,metadata.namespace!=ns-1", "", 3)
		f("", "metadata.name=pod-0000", "", 1)
		f("ns-0", "metadata.name=pod-0000", "", 1)
		f("ns-1", "metadata.name=pod-0000", "", 0)
		f("ns-0", "metadata.namespace=ns-1,metadata.name=pod-0001", "", 0)
		f("", "metadata.name!=pod-0000", "", 9)
		f("", "spec.nodeName=node-1", "", 9)
		f("", "spec.nodeName=", "", 1)
		f("", "spec.nodeName!=", "", 9)
		f("", "", "app=pod-0001", 1)
		f("", "", "app in (pod-0001,pod-0002),app!=pod-0002", 1)
		f("ns-0", "", "app=pod-0001", 0)

		_, err := set.CoreV1().Pods("").List(context.Background(), metav1.ListOptions{FieldSelector: "spec.hostname=x"})
		if !apierrors.IsBadRequest(err) {
			t.Errorf("unknown field: got error %v, want BadRequest", err)
		}
		_, err = set.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{FieldSelector: "spec.nodeName=x"})
		if !apierrors.IsBadRequest(err) {
			t.Errorf("field of another kind: got error %v, want BadRequest", err)
		}
		nodes, err := set.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{FieldSelector: "metadata.namespace!=ns-0"})
		if err != nil || len(nodes.Items) != 1 {
			t.Errorf("nodes outside a namespace: got %v, error %v, want one node", nodes, err)
		}
	})
}

// readPages reads a whole list page by page. It calls between after each page but
// the last, and returns the pods and the distinct resourceVersions.
func readPages(t *testing.T, set kubernetes.Interface, options metav1.ListOptions, between func()) (all []string, versions []string) {
	t.Helper()
	for {
		list := listPods(t, set, "", options)
		all = append(all, names(list.Items)...)
		versions = append(versions, list.ResourceVersion)
		if list.Continue == "" {
			return all, slices.Compact(versions)
		}
		options.Continue = list.Continue
		between()
	}
}

func TestPagesAreOneConsistentList(t *testing.T) {
	c := New(Options{})
	putPods(t, c, 95)
	eachContentType(t, c, func(t *testing.T, set kubernetes.Interface) {
		want := names(listPods(t, set, "", metav1.ListOptions{}).Items)
		churn := func() {
			put(t, c, pod("ns-2", "zz-new"), pod("ns-1", "pod-0004"))
			if err := c.Delete(pod("ns-2", "zz-new")); err != nil {
				t.Fatal(err)
			}
		}
		got, versions := readPages(t, set, metav1.ListOptions{Limit: 10}, churn)
		if !slices.Equal(got, want) || len(versions) != 1 {
			t.Errorf("got %d pods %v at versions %v, want %d pods at one version", len(got), got, versions, len(want))
		}
		list := listPods(t, set, "", metav1.ListOptions{Limit: 10})
		if list.RemainingItemCount == nil || *list.RemainingItemCount != int64(len(want)-10) {
			t.Errorf("got remainingItemCount %v, want %d", list.RemainingItemCount, len(want)-10)
		}
		if list := listPods(t, set, "", metav1.ListOptions{Limit: 10, ResourceVersion: "0"}); len(list.Items) != len(want) {
			t.Errorf("resourceVersion 0, for which limit is ignored: got %d pods, want %d", len(list.Items), len(want))
		}
		if list := listPods(t, set, "ns-1", metav1.ListOptions{Limit: 10}); len(list.Items) != 10 || list.Items[0].Namespace != "ns-1" {
			t.Errorf("page of namespace ns-1: got %v, want 10 pods of it", names(list.Items))
		}
	})
}

func TestContinueAfterTheHistoryIsGone(t *testing.T) {
	c := New(Options{})
	putPods(t, c, 20)
	eachContentType(t, c, func(t *testing.T, set kubernetes.Interface) {
		first := listPods(t, set, "", metav1.ListOptions{Limit: 5})
		put(t, c, pod("ns-0", "pod-0000"))
		c.Compact()
		_, err := set.CoreV1().Pods("").List(context.Background(), metav1.ListOptions{Limit: 5, Continue: first.Continue})
		if !apierrors.IsResourceExpired(err) {
			t.Fatalf("got %v, want 410 Expired", err)
		}
	})
}

func TestListResourceVersions(t *testing.T) {
	c := New(Options{})
	putPods(t, c, 3)
	eachContentType(t, c, func(t *testing.T, set kubernetes.Interface) {
		ctx := context.Background()
		future := &metav1.ListOptions{ResourceVersion: "999999"}
		// Without retries, because the client would obey the answer's Retry-After.
		err := set.CoreV1().RESTClient().Get().Resource("pods").VersionedParams(future, metav1.ParameterCodec).MaxRetries(0).Do(ctx).Error()
		if !apierrors.IsTimeout(err) || !apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
			t.Errorf("future version: got error %v, want a timeout with cause ResourceVersionTooLarge", err)
		}
		for _, options := range []metav1.ListOptions{{Continue: "no token"}, {Continue: "x/ns-0/pod"}, {Continue: "3/pod"}, {ResourceVersion: "one"}} {
			if _, err := set.CoreV1().Pods("").List(ctx, options); !apierrors.IsBadRequest(err) {
				t.Errorf("%+v: got error %v, want BadRequest", options, err)
			}
		}
		if _, err := set.CoreV1().Pods("").List(ctx, metav1.ListOptions{ResourceVersionMatch: "Exact"}); !apierrors.IsInvalid(err) {
			t.Errorf("match without version: got error %v, want Invalid", err)
		}
	})
}

func TestShardsAddUpToTheWhole(t *testing.T) {
	c := New(Options{ShardSelector: true})
	putPods(t, c, 300)
	thirds := []string{
		"shardRange(object.metadata.uid, '0x0000000000000000', '0x5555555555555555')",
		"shardRange(object.metadata.uid, '0x5555555555555555', '0xaaaaaaaaaaaaaaaa')",
		"shardRange(object.metadata.uid, '0xaaaaaaaaaaaaaaaa', '0x10000000000000000')",
	}
	eachContentType(t, c, func(t *testing.T, set kubernetes.Interface) {
		var all []string
		for _, text := range thirds {
			list := listPods(t, set, "", metav1.ListOptions{ShardSelector: text})
			if list.ShardInfo == nil || list.ShardInfo.Selector != text {
				t.Errorf("got shardInfo %v, want %s", list.ShardInfo, text)
			}
			if n := len(list.Items); n < 60 || n > 140 {
				t.Errorf("a third of 300 pods: got %d, want 60 to 140", n)
			}
			all = append(all, names(list.Items)...)
			paged, _ := readPages(t, set, metav1.ListOptions{ShardSelector: text, Limit: 7}, func() {})
			if !slices.Equal(paged, names(list.Items)) {
				t.Errorf("list in pages: got %v, want %v", paged, names(list.Items))
			}
		}
		slices.Sort(all)
		if want := names(listPods(t, set, "", metav1.ListOptions{}).Items); !slices.Equal(all, want) {
			t.Errorf("all shards: got %d pods, want the %d of the cluster", len(all), len(want))
		}
		for _, watch := range []bool{false, true} {
			options := metav1.ListOptions{ShardSelector: "shardRange(", Watch: watch}
			err := set.CoreV1().RESTClient().Get().Resource("pods").VersionedParams(&options, metav1.ParameterCodec).Do(context.Background()).Error()
			status, ok := err.(apierrors.APIStatus)
			if !ok || status.Status().Code != http.StatusInternalServerError || !strings.HasPrefix(status.Status().Message, "invalid shard selector") {
				t.Errorf("malformed selector, watch %t: got error %v, want 500 invalid shard selector", watch, err)
			}
		}
	})
}

// Benchmarks measure fleets with and without server-side sharding on the same cluster, so its listeners may differ.
func TestListenersHonourShardsOrNot(t *testing.T) {
	c := New(Options{})
	putPods(t, c, 10)
	server, err := c.Serve("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	set := client(t, server, rest.ContentConfig{})
	f := func(selector string, honoured bool) {
		t.Helper()
		list := listPods(t, set, "", metav1.ListOptions{ShardSelector: selector})
		if sharded := list.ShardInfo != nil; sharded != honoured || honoured == (len(list.Items) == 10) {
			t.Errorf("%s: got shardInfo %v, %d of 10 pods, want honoured %t", selector, list.ShardInfo, len(list.Items), honoured)
		}
	}
	f(lowerHalf, false)
	f("malformed", false)
	server.HonourShards(true)
	f(lowerHalf, true)
	server.HonourShards(false)
	f(lowerHalf, false)
}

// A kube-apiserver filters lists of metadata by shard as well, but sends no shardInfo with them.
func TestMetadataListsDoNotSayThatTheyAreSharded(t *testing.T) {
	c := New(Options{ShardSelector: true})
	putPods(t, c, 100)
	eachContentType(t, c, func(t *testing.T, set kubernetes.Interface) {
		options := metav1.ListOptions{ShardSelector: lowerHalf}
		whole := listPods(t, set, "", options)
		body, err := set.CoreV1().RESTClient().Get().Resource("pods").VersionedParams(&options, metav1.ParameterCodec).
			SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json").DoRaw(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var list metav1.PartialObjectMetadataList
		if err := json.Unmarshal(body, &list); err != nil {
			t.Fatal(err)
		}
		if list.Kind != "PartialObjectMetadataList" || list.ShardInfo != nil || list.ResourceVersion != whole.ResourceVersion {
			t.Errorf("got %s with metadata %+v, want PartialObjectMetadataList at version %s without shardInfo",
				list.Kind, list.ListMeta, whole.ResourceVersion)
		}
		if len(list.Items) != len(whole.Items) || list.Items[0].UID != whole.Items[0].UID || list.Items[0].ResourceVersion == "" {
			t.Errorf("got %d objects, want the %d of the list of pods", len(list.Items), len(whole.Items))
		}
	})
}

// A server with another hash claims in shardInfo to have honoured the selector, but sends other objects.
func TestServerWithAnotherHashSendsOtherObjects(t *testing.T) {
	c := New(Options{ShardSelector: true})
	putPods(t, c, 300)
	var lists [2]*corev1.PodList
	for i, handler := range []http.Handler{c.Handler(), c.HandlerWithOtherHash()} {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		set, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		lists[i] = listPods(t, set, "", metav1.ListOptions{ShardSelector: lowerHalf})
	}
	ours, others := names(lists[0].Items), names(lists[1].Items)
	if info := lists[1].ShardInfo; info == nil || info.Selector != lowerHalf || len(others) < 100 || slices.Equal(ours, others) {
		t.Errorf("got %d objects, same objects %v, shardInfo %v, want at least 100 other objects and shardInfo",
			len(others), slices.Equal(ours, others), info)
	}
}

// TestAnyRequestIsAnswered sends unusual paths and parameters. Each gets a status,
// without a panic or a hang.
func TestAnyRequestIsAnswered(t *testing.T) {
	c := New(Options{ShardSelector: true})
	putPods(t, c, 3)
	f := func(target string, want int) {
		t.Helper()
		recorder := httptest.NewRecorder()
		c.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
		if recorder.Code != want {
			t.Errorf("%s: got status %d %s, want %d", target, recorder.Code, recorder.Body, want)
		}
	}
	f("/readyz", 200)
	f("/version", 200)
	f("/", 404)
	f("/api/v1/", 200)
	f("/api/v2", 404)
	f("/api/v2/pods", 404)
	f("/api/v1/podz", 404)
	f("/api/v1/pods/x", 404)
	f("/api/v1/namespaces/ns-0/pods/x", 404)
	f("/api/v1/namespaces/ns-0/pods/pod-0000", 200)
	f("/api/v1/namespaces/ns-0/pods/pod-0000/log", 404)
	f("/api/v1/namespaces/ns-0/nodes", 404)
	f("/api/v1/namespaces/ns-0/", 404)
	f("/api/v1/pods?limit=x", 400)
	f("/api/v1/pods?limit=-1", 200)
	f("/api/v1/pods?fieldSelector=x", 400)
	f("/api/v1/pods?labelSelector=((", 400)
	f("/api/v1/pods?sendInitialEvents=true", 422)
	f("/api/v1/pods?watch=1&sendInitialEvents=true", 422)
	f("/api/v1/pods?watch=1&resourceVersion=x", 400)
	f("/apis", 200)
	f("/apis/apps/v1", 200)
	f("/apis/unknown", 404)
	f("/apis/apps/v1/deployments", 200)
	f("/apis/apps/v1beta1/deployments", 404)
	f("/openapi/v3", 404)
}
