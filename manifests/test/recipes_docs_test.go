package test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/strvals"
)

// command has the values files and --set arguments of a documented installation of the chart.
type command struct{ values, set []string }

var installation = regexp.MustCompile(`(?m)^helm (?:install|upgrade) statefleet manifests/chart((?:.*\\\n)*.*)$`)

// TestRecipesInstallAndTakeOver renders the chart with the commands in docs/migration.md. In each recipe that sets a
// job, the fleet must have the job statefleet first and kube-state-metrics last.
func TestRecipesInstallAndTakeOver(t *testing.T) {
	seen := 0
	for section := range strings.SplitSeq(readFile(t, "../../docs/migration.md"), "\n### ") {
		title, _, _ := strings.Cut(section, "\n")
		var jobs []string
		for _, match := range installation.FindAllStringSubmatch(section, -1) {
			seen++
			jobs = append(jobs, jobsOf(t, parse(t, match[1]))...)
		}
		switch {
		case len(jobs) == 0: // no values, or no job: Alloy and Datadog set it elsewhere
		case jobs[0] != "statefleet" || jobs[len(jobs)-1] != "kube-state-metrics":
			t.Errorf("%s: got jobs %q, want statefleet first and kube-state-metrics last", title, jobs)
		}
	}
	if seen < 10 {
		t.Errorf("the pattern found %d installations, want at least 10", seen)
	}
}

func parse(t *testing.T, arguments string) (c command) {
	t.Helper()
	for _, a := range regexp.MustCompile(`(?:-f|--set) \S+`).FindAllString(arguments, -1) {
		option, value, _ := strings.Cut(a, " ")
		switch {
		case option == "--set":
			c.set = append(c.set, value)
		case strings.HasPrefix(value, "manifests/"):
			c.values = append(c.values, filepath.Join("../..", value))
		case value != "your-values.yaml":
			t.Errorf("got values file %s, want your-values.yaml or one in manifests", value)
		}
	}
	return c
}

// jobsOf returns the jobs of the exposition's series, sorted and without duplicates.
func jobsOf(t *testing.T, c command) (jobs []string) {
	t.Helper()
	given := map[string]any{}
	for _, file := range c.values {
		maps.Copy(given, values(t, file))
	}
	for _, set := range c.set {
		if err := strvals.ParseInto(set, given); err != nil {
			t.Fatal(err)
		}
	}
	all, others := recipe(t, given)
	for _, object := range all {
		if m, ok := object.(*monitoringv1.PodMonitor); ok {
			for _, e := range m.Spec.PodMetricsEndpoints {
				jobs = append(jobs, jobOf(e.RelabelConfigs))
			}
		}
	}
	for _, o := range others {
		if o.Kind != "VMPodScrape" {
			jobs = append(jobs, o.Metadata.Name)
			continue
		}
		for _, e := range o.Spec["podMetricsEndpoints"].([]any) {
			jobs = append(jobs, jobOf(convert[[]monitoringv1.RelabelConfig](t, e.(map[string]any)["relabelConfigs"])))
		}
	}
	slices.Sort(jobs)
	return slices.Compact(jobs)
}

// TestEveryExampleHasARecipe checks that docs/migration.md mentions every file in manifests/examples, and links to
// every folder in its first table.
func TestEveryExampleHasARecipe(t *testing.T) {
	text := readFile(t, "../../docs/migration.md")
	table, _, _ := strings.Cut(text, "\n## What is the same")
	files, err := filepath.Glob(filepath.Join(examples, "*/*.yaml"))
	if err != nil || len(files) < 10 {
		t.Fatalf("got examples %q, error %v; want at least 10", files, err)
	}
	for _, file := range files {
		path := strings.TrimPrefix(file, "../")
		if filepath.Dir(path) == "examples/kind" { // it is for "make kind"
			continue
		}
		if folder := filepath.Dir(path); !strings.Contains(table, "(../manifests/"+folder+")") {
			t.Errorf("the table does not link to %s", folder)
		}
		if !strings.Contains(text, "manifests/"+path) && filepath.Base(path) != "kustomization.yaml" {
			t.Errorf("no recipe uses %s", path)
		}
	}
	for _, path := range regexp.MustCompile(`manifests/examples/[\w./-]*\w`).FindAllString(text, -1) {
		if _, err := os.Stat(filepath.Join("../..", path)); err != nil {
			t.Error(err)
		}
	}
}
