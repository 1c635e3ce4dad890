// Package e2e runs the exporter's binary against a real control plane, with the rights that the manifests give it.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/manifest"
	"github.com/statefleet/statefleet/test/seed"
)

const (
	shards     = 3
	seededPods = 300 // enough for the shares of three shards to be near a third
	namespace  = "statefleet"
	account    = "statefleet"
	setName    = "statefleet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestEndToEnd runs every check on one control plane. Each check starts its own replicas and leaves nothing changed in
// the cluster except objects of its own.
func TestEndToEnd(t *testing.T) {
	w := newWorld(t)
	t.Run("ManifestsAreAcceptedAndSettle", w.manifestsAreAcceptedAndSettle)
	t.Run("ShardsTogetherAreTheWhole", w.shardsTogetherAreTheWhole)
	t.Run("ExpositionMatchesSeededObjects", w.expositionMatchesSeededObjects)
	t.Run("ServerSideFilteringChangesTrafficNotExpositions", w.serverSideFilteringChangesTrafficNotExpositions)
	t.Run("AShardReceivesItsShareOfTheBytes", w.aShardReceivesItsShareOfTheBytes)
	t.Run("ChangesAreVisibleWithinASecond", w.changesAreVisibleWithinASecond)
	t.Run("AnOutageOfTheAPIServerIsSurvived", w.anOutageIsSurvived)
	t.Run("AReplicaWaitsForTheAPIServerAtStart", w.aReplicaWaitsForTheAPIServerAtStart)
	t.Run("AForbiddenKindIsNamedAndTheRestServed", w.aForbiddenKindIsNamed)
	t.Run("ValuesAreNotSent", w.valuesAreNotSent)
	t.Run("CallersAreChecked", w.callersAreChecked)
	t.Run("ScenariosKeepEveryObjectInOneExposition", w.scenariosKeepEveryObjectInOneExposition)
}

// world is the cluster that the checks share, with the manifests applied and objects of every kind.
type world struct {
	cluster *controlplane.Cluster
	// token belongs to the manifests' service account, which has only the rights that they grant. kubeconfig is the
	// path of a kubeconfig with that token.
	token, kubeconfig string
}

func newWorld(t *testing.T) *world {
	if _, err := fleet.Build(); err != nil { // first, because it fails faster than a cluster starts
		t.Fatal(err)
	}
	cluster := controlplane.Start(t, controlplane.Options{Sharding: true})
	w := &world{cluster: cluster}
	if _, err := cluster.Client().CoreV1().Namespaces().Create(t.Context(), ownNamespace(namespace), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	apply(t, cluster, manifest.Base)
	if err := seed.All(t.Context(), cluster.Config(), seededPods); err != nil {
		t.Fatal(err)
	}
	w.token = cluster.Token(t, namespace, account)
	w.kubeconfig = cluster.Kubeconfig(t, w.token)
	return w
}

// ownNamespace returns a namespace that enforces the Pod Security Standard "restricted", which the manifests satisfy.
func ownNamespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
}

// startReplica starts a replica with the given flags after those that all replicas have. Without flags it is unsharded.
func (w *world) startReplica(t *testing.T, flags ...string) *fleet.Replica {
	t.Helper()
	return fleet.Start(t, append([]string{
		"--kubeconfig=" + w.kubeconfig,
		"--metric-labels-allowlist=pods=[*],nodes=[*],namespaces=[*],deployments=[*]",
		"--metric-annotations-allowlist=pods=[*]",
	}, flags...)...)
}

// startShards starts one replica for each shard and waits until all are ready.
func (w *world) startShards(t *testing.T, flags ...string) []*fleet.Replica {
	t.Helper()
	var replicas []*fleet.Replica
	for ordinal := range shards {
		shard := []string{"--shard=" + strconv.Itoa(ordinal), "--total-shards=" + strconv.Itoa(shards)}
		replicas = append(replicas, w.startReplica(t, append(shard, flags...)...))
	}
	for _, replica := range replicas {
		replica.WaitReady(t)
	}
	return replicas
}

// compareUnion returns an error unless the shards together expose the same samples as the unsharded replica.
func compareUnion(ctx context.Context, whole *fleet.Replica, parts []*fleet.Replica) error {
	all := make([]exposition.Exposition, len(parts))
	for i, part := range parts {
		var err error
		if all[i], err = part.Metrics(ctx); err != nil {
			return fmt.Errorf("replica %d: %w", i, err)
		}
	}
	union, err := exposition.Union(all...)
	if err != nil {
		return err
	}
	metrics, err := whole.Metrics(ctx)
	if err != nil {
		return err
	}
	if diff := exposition.Diff(metrics, union); diff != "" {
		return errors.New("the union of the shards differs from the unsharded replica:\n" + diff)
	}
	return nil
}

// waitForEqualUnion waits until all replicas have received the latest changes, so that compareUnion finds no
// difference.
func waitForEqualUnion(t *testing.T, whole *fleet.Replica, parts []*fleet.Replica) {
	t.Helper()
	fleet.Eventually(t, "the union of the shards equals the unsharded replica", func(ctx context.Context) error { return compareUnion(ctx, whole, parts) })
}
