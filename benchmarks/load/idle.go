package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

const (
	idleName     = "statefleet" // of the fleet's StatefulSet and namespace
	idleReplicas = 3
)

// requests counts the requests of one replica by what they ask.
type requests struct {
	next http.Handler

	mu    sync.Mutex
	kinds map[string]int
}

// ServeHTTP implements [http.Handler].
func (r *requests) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	kind := request.Method
	if query := request.URL.Query(); query.Get("watch") == "true" || query.Get("watch") == "1" {
		kind = "WATCH"
	} else if strings.HasSuffix(request.URL.Path, "/"+idleName+"-topology") {
		kind += " of the topology"
	}
	r.mu.Lock()
	if r.kinds == nil {
		r.kinds = map[string]int{}
	}
	r.kinds[kind]++
	r.mu.Unlock()
	r.next.ServeHTTP(w, request)
}

// take returns the counts since it was last called.
func (r *requests) take() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	kinds := r.kinds
	r.kinds = nil
	return kinds
}

// idle measures what a replica of a coordinated fleet of three takes while nothing happens in the cluster.
func (o options) idle(ctx context.Context, out io.Writer) error {
	cluster := simulator.New(simulator.Options{Seed: o.seed, ShardSelector: true})
	spec := generator.Scale(o.pods)
	spec.Seed = o.seed
	if err := errors.Join(cluster.Populate(spec.Objects()), idleObjects(cluster)); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "statefleet-idle-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	counted := make([]*requests, idleReplicas)
	for i := range counted {
		counted[i] = &requests{next: cluster.Handler()}
		if err := serveCounted(ctx, counted[i], idleKubeconfig(dir, i)); err != nil {
			return err
		}
	}
	shards, err := fleet.Start(ctx, fleet.Options{
		Command: append(fleet.Alone(o.binary), "--pod="+idleName+"-{{.Shard}}", "--pod-namespace="+idleName),
		Shards:  idleReplicas, Dir: dir, Kubeconfig: func(i int) string { return idleKubeconfig(dir, i) },
	})
	if err != nil {
		return err
	}
	defer shards.Wait()
	defer cancel()
	if err := coordinated(ctx, shards); err != nil {
		return err
	}
	return o.measureIdle(ctx, out, shards, counted)
}

// measureIdle writes a line for each replica.
func (o options) measureIdle(ctx context.Context, out io.Writer, shards *fleet.Fleet, counted []*requests) error {
	if err := pause(ctx, o.settle); err != nil {
		return err
	}
	before, began := make([]time.Duration, len(counted)), time.Now()
	for i, shard := range shards.Shards {
		usage, err := shard.Usage()
		if err != nil {
			return err
		}
		before[i] = usage.CPU
		counted[i].take()
	}
	if err := pause(ctx, o.window); err != nil {
		return err
	}
	took := time.Since(began)
	for i, shard := range shards.Shards {
		usage, err := shard.Usage()
		if err != nil {
			return err
		}
		all, kinds := 0, counted[i].take()
		var parts []string
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			all += kinds[kind]
			parts = append(parts, fmt.Sprintf("%d %s", kinds[kind], kind))
		}
		_, _ = fmt.Fprintf(out, "replica %d: %.2f ms of CPU a second, %.1f API requests a minute; in %s: %s\n", i,
			1000*(usage.CPU-before[i]).Seconds()/took.Seconds(), float64(all)/took.Minutes(), took.Round(time.Second), strings.Join(parts, ", "))
	}
	return nil
}

// idleObjects puts the fleet's own objects into the cluster, as an installation does.
func idleObjects(cluster *simulator.Cluster) error {
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: idleName, Name: name} }
	n, labels := int32(idleReplicas), map[string]string{"app": idleName}
	set := &appsv1.StatefulSet{ObjectMeta: meta(idleName), Spec: appsv1.StatefulSetSpec{
		Replicas: &n, ServiceName: idleName, PodManagementPolicy: appsv1.ParallelPodManagement, Selector: &metav1.LabelSelector{MatchLabels: labels},
	}}
	set.Generation = 1
	if err := errors.Join(cluster.Put(&corev1.ConfigMap{ObjectMeta: meta(idleName + "-topology")}), cluster.Put(set)); err != nil {
		return err
	}
	for i := range idleReplicas {
		yes, pod := true, &corev1.Pod{ObjectMeta: meta(fmt.Sprintf("%s-%d", idleName, i))}
		pod.Labels = labels
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: idleName, UID: set.UID, Controller: &yes}}
		if err := cluster.Put(pod); err != nil {
			return err
		}
	}
	return nil
}

func idleKubeconfig(dir string, shard int) string {
	return filepath.Join(dir, fmt.Sprintf("kubeconfig-%d", shard))
}

// serveCounted serves the cluster until ctx ends, and writes how to reach it.
func serveCounted(ctx context.Context, handler http.Handler, kubeconfig string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() { _ = server.Serve(listener) }() // ends with an error when it is closed
	context.AfterFunc(ctx, func() { _ = server.Close() })
	config := clientcmdapi.NewConfig()
	config.Clusters[idleName] = &clientcmdapi.Cluster{Server: "http://" + listener.Addr().String()}
	config.Contexts[idleName] = &clientcmdapi.Context{Cluster: idleName}
	config.CurrentContext = idleName
	return clientcmd.WriteToFile(*config, kubeconfig)
}

// coordinated waits until all replicas are ready and serve as a fleet.
func coordinated(ctx context.Context, shards *fleet.Fleet) error {
	for _, shard := range shards.Shards {
		for {
			self, err := shard.Self(ctx)
			if err == nil && self.Ready() && self.Sum("statefleet_topology_active_shards") == idleReplicas && self.Sum("statefleet_coordination", "state", "coordinated") == 1 {
				break
			}
			select {
			case err := <-shards.Failed():
				return err
			default:
			}
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
		}
	}
	return nil
}
