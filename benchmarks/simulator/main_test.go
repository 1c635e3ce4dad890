package simulator

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// contentTypes returns the content types that tests over HTTP run with.
func contentTypes() map[string]rest.ContentConfig {
	return map[string]rest.ContentConfig{
		"protobuf": {
			ContentType:        "application/vnd.kubernetes.protobuf",
			AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json",
		},
		"json": {ContentType: "application/json"},
	}
}

// serve starts a server of the cluster and returns a client of it.
func serve(t *testing.T, c *Cluster, content rest.ContentConfig) kubernetes.Interface {
	t.Helper()
	server, err := c.Serve("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return client(t, server, content)
}

func client(t *testing.T, server *Server, content rest.ContentConfig) kubernetes.Interface {
	t.Helper()
	config := &rest.Config{Host: server.URL(), ContentConfig: content, QPS: -1}
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(httpClient.CloseIdleConnections)
	set, err := kubernetes.NewForConfigAndClient(config, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// pod returns a small pod.
func pod(namespace, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "main", Image: "example/app:1"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
}

func put(t *testing.T, c *Cluster, objs ...Object) {
	t.Helper()
	for _, obj := range objs {
		if err := c.Put(obj); err != nil {
			t.Fatal(err)
		}
	}
}

// putPods stores n pods in three namespaces.
func putPods(t *testing.T, c *Cluster, n int) {
	t.Helper()
	for i := range n {
		put(t, c, pod(fmt.Sprintf("ns-%d", i%3), fmt.Sprintf("pod-%04d", i)))
	}
}

// eventually polls until done is true. It fails the test after a minute.
func eventually(t *testing.T, condition string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("condition not met within a minute: %s", condition)
}
