//go:build linux

package node

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"

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

// widget is a custom resource that fleets with a configuration for it expose.
const widget = `
apiVersion: example.org/v1
kind: Widget
metadata: {namespace: default, name: one}
status: {ready: true}
`

// serverName is the name in the certificate of manifests with TLS.
const serverName = "statefleet"

// createPrerequisites creates everything that the manifests require and do not contain: CustomResourceDefinitions,
// namespaces with a pod each, and a Secret with a self-signed certificate and a web configuration file.
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
	s.apply(t, widget)
	for _, name := range []string{"default", "monitoring", "team-a", "team-b"} {
		s.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", name)
		s.apply(t, idlePod, name, "idle", "", pauseImage)
	}
	certificate, key, err := cert.GenerateSelfSignedCertKey(serverName, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.certificate = certificate
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "statefleet-web"}, Data: map[string][]byte{
		"tls.crt": certificate, "tls.key": key, "config.yml": []byte("tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n"),
	}}
	if _, err := s.client.CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// wantPods returns the number of pods that the StatefulSets and DaemonSets in the fleet's namespace must have.
func (s *setup) wantPods(t *testing.T) (pods int) {
	t.Helper()
	sets, err := s.client.AppsV1().StatefulSets(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range sets.Items {
		pods += int(*set.Spec.Replicas)
	}
	daemons, err := s.client.AppsV1().DaemonSets(namespace).List(t.Context(), metav1.ListOptions{})
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
			n += s.countSeries(t, p, "kube_customresource_ready")
		}
		return n == 1
	})
	if err != nil {
		t.Errorf("got the widget %d times in the expositions, want once", n)
	}
}
