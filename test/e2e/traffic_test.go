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

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/proxy"
	"github.com/statefleet/statefleet/test/seed"
)

// mostOfTheBytes is what one of four shards may receive of what an unsharded replica receives, from a server that filters.
// A quarter are its objects; the rest is what every client receives, such as the beginnings of connections.
const mostOfTheBytes = 0.3

// aShardReceivesItsShareOfTheBytes counts what comes over the wire until a replica is ready: of one of four shards and of one
// unsharded replica, from a server that filters and from one that does not.
func (w *world) aShardReceivesItsShareOfTheBytes(t *testing.T) {
	w.createLargePods(t)
	filtered, whole, filteredPage := w.shareOfTheBytes(t)
	t.Logf("with the server's filter, one of four shards receives %d bytes of %d: %.3f", filtered, whole, float64(filtered)/float64(whole))
	if float64(filtered) > mostOfTheBytes*float64(whole) {
		t.Errorf("that is more than %v of them", mostOfTheBytes)
	}
	w.filterOnServer(t, false)
	t.Cleanup(func() { w.filterOnServer(t, true) })
	unfiltered, whole, page := w.shareOfTheBytes(t)
	t.Logf("without it, %d bytes of %d: %.3f", unfiltered, whole, float64(unfiltered)/float64(whole))
	if unfiltered < whole/2 {
		t.Errorf("a server that does not filter has sent only %d bytes of %d", unfiltered, whole)
	}
	if diff := exposition.Diff(filteredPage, page); diff != "" {
		t.Errorf("the page is another one without the server's filter:\n%s", diff)
	}
}

const (
	largePods = 1500 // so many that a quarter of the hashes is a quarter of the pods, within some hundredths
	large     = 2000 // bytes of random text in each
)

// createLargePods makes pods that weigh more than what every client receives, until the end of the test.
func (w *world) createLargePods(t *testing.T) {
	t.Helper()
	pods := w.cluster.Client().CoreV1().Pods(seed.Shop)
	var group errgroup.Group
	group.SetLimit(8)
	for i := range largePods {
		group.Go(func() error {
			pod := seed.NewPod(fmt.Sprintf("large-%d", i), i)
			pod.Labels = map[string]string{"large": "yes"}
			value := make([]byte, large/2)
			_, _ = rand.Read(value) // it does not fail
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

// shareOfTheBytes returns the bytes that a shard and an unsharded replica receive, and the shard's page.
func (w *world) shareOfTheBytes(t *testing.T) (part, whole int64, page exposition.Page) {
	t.Helper()
	shard, partWire := w.overTheWire(t, "--shard=1", "--total-shards=4")
	unsharded, wholeWire := w.overTheWire(t)
	for _, replica := range []*fleet.Replica{shard, unsharded} {
		replica.WaitReady(t)
	}
	part, whole = partWire.Received(), wholeWire.Received()
	fleet.Eventually(t, "the shard has nothing that the whole does not have", func(ctx context.Context) error {
		all, err := unsharded.Page(ctx)
		if err != nil {
			return err
		}
		if page, err = shard.Page(ctx); err != nil {
			return err
		}
		for series, value := range page.Samples {
			if all.Samples[series] != value {
				return fmt.Errorf("%s is %s, of the whole %q", series, value, all.Samples[series])
			}
		}
		return nil
	})
	return part, whole, page
}

// overTheWire starts a replica that reaches the API server over a connection of its own.
func (w *world) overTheWire(t *testing.T, flags ...string) (*fleet.Replica, *proxy.Proxy) {
	t.Helper()
	wire := proxy.Start(t, w.cluster.Address())
	kubeconfig := w.cluster.KubeconfigVia(t, w.token, wire.Address())
	// Without leases, which the API server renews all the time.
	return fleet.Start(t, append([]string{"--kubeconfig=" + kubeconfig, "--resources=pods,jobs,nodes,namespaces,services,deployments,replicasets"}, flags...)...), wire
}
