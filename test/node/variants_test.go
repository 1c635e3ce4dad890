//go:build linux

package node

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/manifest"
)

// TestImageAndManifestsAsDelivered installs every kustomization and every rendering of the chart, one after the other,
// in a namespace that enforces the Pod Security Standard "restricted". It checks that all pods become ready by their
// own probes, are confined, and together expose each pod once. manifests/test compares the renderings with the output
// of Helm.
func TestImageAndManifestsAsDelivered(t *testing.T) {
	s := newSetup(t, 2)
	s.createPrerequisites(t)
	for _, path := range manifestPaths(t) {
		t.Run(strings.TrimPrefix(path, "manifests/"), func(t *testing.T) {
			if why := skipReason(path); why != "" {
				t.Skip("NOT TESTED: " + why)
			}
			began := time.Now()
			s.install(t, path)
			pods := s.waitReady(t, s.wantPods(t))
			t.Logf("%d pods ready after %s", len(pods), time.Since(began).Round(100*time.Millisecond))
			s.checkExpositions(t, pods)
			s.checkProcesses(t, pods)
			for _, p := range pods {
				if hasFlag(p, "--auth-filter") {
					s.checkAuthorization(t, p)
				}
			}
			s.checkCustomResource(t, pods)
		})
	}
}

// manifestPaths returns the paths, relative to the repository's root, of everything that Install accepts.
func manifestPaths(t *testing.T) (paths []string) {
	t.Helper()
	root, err := fleet.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{
		"manifests/base/kustomization.yaml", "manifests/prometheus-operator/kustomization.yaml", "manifests/overlays/*/kustomization.yaml",
		"manifests/test/testdata/*/kustomization.yaml", "manifests/chart/tests/rendered/*.yaml",
	} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s matches nothing: %v", pattern, err)
		}
		for _, file := range files {
			path, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, strings.TrimSuffix(path, "/kustomization.yaml"))
		}
	}
	return paths
}

// skipReason returns why a cluster with the Pod Security Standard "restricted" and this image cannot run the manifests
// at path, or "" if it can.
func skipReason(path string) string {
	switch path {
	case "manifests/chart/tests/rendered/everything.yaml":
		return "it uses the host network, which the Pod Security Standard forbids, and other images"
	case "manifests/overlays/saved-state-volume":
		return "this cluster provisions no volumes; TestSavedStateOutlivesAPod runs it with volumes that the test creates"
	}
	return ""
}

// createPrerequisites creates everything that the manifests require and do not contain: CustomResourceDefinitions,
// namespaces with a pod each, and a certificate.
func (s *setup) createPrerequisites(t *testing.T) {
	t.Helper()
	applier, err := manifest.NewApplier(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	for kind, group := range map[string]string{
		"PodMonitor": "monitoring.coreos.com", "ServiceMonitor": "monitoring.coreos.com", "PrometheusRule": "monitoring.coreos.com", "Widget": "example.org",
	} {
		if _, err := applier.Apply(t.Context(), manifest.Definition(group, kind)); err != nil {
			t.Fatal(err)
		}
	}
	widget := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.org/v1", "kind": "Widget", "metadata": map[string]any{"namespace": "default", "name": "one"},
		"status": map[string]any{"ready": true},
	}}
	err = waitFor(time.Minute, func() bool { // creation fails until the API server serves the kind
		if applier, err = manifest.NewApplier(s.Config()); err == nil {
			_, err = applier.Apply(t.Context(), widget)
		}
		return err == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"default", "monitoring", "team-a", "team-b"} {
		_, err := s.Client().CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
		s.runPod(t, name)
	}
	s.createCertificate(t)
}

// runPod creates a pod that does nothing in a namespace.
func (s *setup) runPod(t *testing.T, namespace string) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "idle"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "pause", Image: pauseImage, ImagePullPolicy: corev1.PullNever}}},
	}
	var err error
	timedOut := waitFor(time.Minute, func() bool { // creation fails until the service account exists
		_, err = s.Client().CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
		return err == nil
	})
	if timedOut != nil {
		t.Fatal(err)
	}
}

// The Secret that manifests with TLS mount, and the name in its certificate.
const (
	webSecret  = "statefleet-web"
	serverName = "statefleet"
)

// createCertificate creates a Secret with a self-signed certificate and a web configuration file.
func (s *setup) createCertificate(t *testing.T) {
	t.Helper()
	certificate, key := selfSigned(t, serverName)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: webSecret}, Data: map[string][]byte{
		"tls.crt": certificate, "tls.key": key, "config.yml": []byte("tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n"),
	}}
	if _, err := s.Client().CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// trust makes a client trust only the certificate in the Secret.
func (s *setup) trust(t *testing.T, client *http.Client) {
	t.Helper()
	secret, err := s.Client().CoreV1().Secrets(namespace).Get(t.Context(), webSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	transport, ok := client.Transport.(*http.Transport)
	if !ok || !pool.AppendCertsFromPEM(secret.Data["tls.crt"]) {
		t.Fatalf("want an *http.Transport, got %T, and a PEM certificate in the Secret %s", client.Transport, webSecret)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, ServerName: serverName, MinVersion: tls.VersionTLS12}
}

// wantPods returns the number of pods that the StatefulSets and DaemonSets in the fleet's namespace must have.
func (s *setup) wantPods(t *testing.T) (pods int) {
	t.Helper()
	sets, err := s.Client().AppsV1().StatefulSets(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range sets.Items {
		pods += int(*set.Spec.Replicas)
	}
	daemons, err := s.Client().AppsV1().DaemonSets(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if pods += len(daemons.Items) * s.Nodes; pods == 0 {
		t.Fatal("got no pods in the specs of StatefulSets and DaemonSets, want at least one")
	}
	return pods
}

// checkCustomResource checks that a fleet that exposes widgets exposes the only widget once.
func (s *setup) checkCustomResource(t *testing.T, pods []corev1.Pod) {
	t.Helper()
	if flagValues(pods[0], "--custom-resource-state-config-file") == nil {
		return
	}
	n := 0
	err := waitFor(time.Minute, func() bool { // replicas discover definitions after they have become ready
		n = 0
		for _, p := range pods {
			_, text := s.get(t, p, "8080", "")
			n += strings.Count(text, "\nkube_customresource_ready{")
		}
		return n == 1
	})
	if err != nil {
		t.Errorf("got the widget %d times in the expositions, want once", n)
	}
}
