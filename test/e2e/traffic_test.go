package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/proxy"
	"github.com/statefleet/statefleet/test/seed"
)

// maxByteShare limits the bytes that one of four shards receives from an API server that filters, as a share of those
// that an unsharded replica receives. A quarter is the shard's objects; the rest is what every client receives, such as
// the setup of connections.
const maxByteShare = 0.3

// aShardReceivesItsShareOfTheBytes counts the bytes that replicas receive until they are ready: one of four shards and
// one unsharded replica, with and without server-side filtering.
func (w *world) aShardReceivesItsShareOfTheBytes(t *testing.T) {
	w.createLargePods(t)
	filtered, whole := w.measureBytes(t)
	t.Logf("with server-side filtering, one of four shards received %d of %d bytes: %.3f", filtered, whole, float64(filtered)/float64(whole))
	if float64(filtered) > maxByteShare*float64(whole) {
		t.Errorf("with server-side filtering, a shard received %d of %d bytes, want at most a share of %v", filtered, whole, maxByteShare)
	}
	w.setServerSideSharding(t, false)
	t.Cleanup(func() { w.setServerSideSharding(t, true) })
	unfiltered, whole := w.measureBytes(t)
	t.Logf("without server-side filtering, it received %d of %d bytes: %.3f", unfiltered, whole, float64(unfiltered)/float64(whole))
	if unfiltered < whole/2 {
		t.Errorf("without server-side filtering, a shard received %d of %d bytes, want at least half", unfiltered, whole)
	}
}

const (
	largePods  = 1500 // so many that a quarter of the hashes has a quarter of the pods, to within a few hundredths
	largeBytes = 2000 // bytes of random text in each
)

// createLargePods creates pods that are much larger in total than what every client receives. It deletes them at the
// end of the test.
func (w *world) createLargePods(t *testing.T) {
	t.Helper()
	pods := w.cluster.Client().CoreV1().Pods(seed.Shop)
	var group errgroup.Group
	group.SetLimit(8)
	for i := range largePods {
		group.Go(func() error {
			pod := seed.NewPod(fmt.Sprintf("large-%d", i), i)
			pod.Labels = map[string]string{"large": "yes"}
			value := make([]byte, largeBytes/2)
			_, _ = rand.Read(value) // it never fails
			pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "LARGE", Value: hex.EncodeToString(value)}}
			_, err := pods.Create(t.Context(), pod, metav1.CreateOptions{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now := int64(0)
		err := pods.DeleteCollection(context.Background(), metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{LabelSelector: "large=yes"})
		if err != nil {
			t.Error(err)
		}
	})
}

// measureBytes returns the bytes that one of four shards and an unsharded replica receive until they are ready.
func (w *world) measureBytes(t *testing.T) (part, whole int64) {
	t.Helper()
	shard, partProxy := w.startBehindProxy(t, "--shard=1", "--total-shards=4")
	unsharded, wholeProxy := w.startBehindProxy(t)
	for _, replica := range []*fleet.Replica{shard, unsharded} {
		replica.WaitReady(t)
	}
	return partProxy.Received(), wholeProxy.Received()
}

// startBehindProxy starts a replica that reaches the API server through a proxy of its own.
func (w *world) startBehindProxy(t *testing.T, flags ...string) (*fleet.Replica, *proxy.Proxy) {
	t.Helper()
	apiProxy := proxy.Start(t, w.cluster.Address())
	kubeconfig := w.cluster.KubeconfigVia(t, w.token, apiProxy.Address())
	// Leases are left out, because the API server renews them all the time.
	return fleet.Start(t, append([]string{"--kubeconfig=" + kubeconfig, "--resources=pods,jobs,nodes,namespaces,services,deployments,replicasets"}, flags...)...), apiProxy
}
