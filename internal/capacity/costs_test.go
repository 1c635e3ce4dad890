package capacity

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
)

var update = flag.Bool("update", false, "write the sizes in costs.yaml")

// readAll reads a simulated cluster and samples all objects.
func readAll(t *testing.T, spec generator.Spec) []Kind {
	t.Helper()
	return readCluster(t, spec, 1<<30)
}

func readCluster(t *testing.T, spec generator.Spec, sample int64) []Kind {
	t.Helper()
	cluster := simulator.New(simulator.Options{Seed: 1})
	if err := cluster.Populate(spec.Objects()); err != nil {
		t.Fatal(err)
	}
	server, err := cluster.Serve("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	client, err := watch.NewClient(&rest.Config{Host: server.URL(), QPS: 1000, Burst: 1000}, watch.AcceptBoth)
	if err != nil {
		t.Fatal(err)
	}
	var all []Kind
	for _, k := range resources.All() {
		counted, err := Cluster{Client: client, Sample: sample}.Read(t.Context(), k, resources.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if want := len(cluster.Names(k.Name())); counted.Objects != want {
			t.Errorf("%s: got %d objects, want %d", k.Name(), counted.Objects, want)
		}
		all = append(all, counted)
	}
	return all
}

// smallCluster specifies a small cluster.
func smallCluster() generator.Spec { return generator.Scale(600) }

// TestCosts compares the sizes in costs.yaml with those measured in a smaller cluster. -update rewrites them.
func TestCosts(t *testing.T) {
	if *update {
		writeSizes(t, readAll(t, generator.Scale(5000)))
	}
	costs := costs(t)
	const tolerance = 0.1
	kinds := readAll(t, smallCluster())
	pods := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == "pods" })
	check := func(what string, known, measured float64) {
		t.Helper()
		if math.Abs(known-measured) > tolerance*measured {
			t.Errorf("%s: costs.yaml has %.4g, measured %.4g; rewrite it with -update", what, known, measured)
		}
	}
	check("series of a pod", costs.Kinds["pods"].Series, kinds[pods].Size.Series)
	check("containers of a pod", costs.Defaults.Containers, kinds[pods].Containers)
	estimated := Load{Kinds: costs.ScaleFromPods(map[string]int{"pods": kinds[pods].Objects}, slices.Collect(maps.Keys(costs.Kinds)))}.Total()
	measured := Load{Kinds: kinds}.Total()
	check("objects", float64(estimated.Objects), float64(measured.Objects))
	check("series", estimated.Series, measured.Series)
	check("text", estimated.Text, measured.Text)
	check("gzip", estimated.Gzip, measured.Gzip)
	check("memory", estimated.Memory, measured.Memory)
	check("metadata of an object", costs.Process.MetadataBytes, metadataBytes(t, smallCluster()))
}

// metadataBytes returns the mean size of an object in a metadata list.
func metadataBytes(t *testing.T, spec generator.Spec) float64 {
	t.Helper()
	var bytes, objects int
	for o := range spec.Objects() {
		m := meta.AsPartialObjectMetadata(o)
		m.APIVersion, m.Kind = "meta.k8s.io/v1", "PartialObjectMetadata"
		raw, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		bytes += len(raw)
		objects++
	}
	return float64(bytes) / float64(objects)
}

const kindsBegin = "\nkinds:\n"

func writeSizes(t *testing.T, kinds []Kind) {
	t.Helper()
	text, _, ok := strings.Cut(string(costsFile), kindsBegin)
	if !ok {
		t.Fatalf("costs.yaml lacks %q", kindsBegin)
	}
	pods := 0
	for _, k := range kinds {
		if k.Name == "pods" {
			pods = k.Objects
			t.Logf("containers: %.2f, metadata: %.0f bytes", k.Containers, metadataBytes(t, generator.Scale(5000)))
		}
	}
	var b strings.Builder
	b.WriteString(text + kindsBegin)
	for _, k := range kinds {
		if k.Objects > 0 {
			fmt.Fprintf(&b, "  %s: {perPod: %.5f, series: %.2f, text: %.0f, gzip: %.0f, memory: %.0f}\n",
				k.Name, float64(k.Objects)/float64(pods), k.Size.Series, k.Size.Text, k.Size.Gzip, k.Size.Memory)
		}
	}
	costsFile = []byte(b.String())
	if err := os.WriteFile("costs.yaml", costsFile, 0o644); err != nil {
		t.Fatal(err)
	}
}
