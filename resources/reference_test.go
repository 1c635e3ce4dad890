package resources

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
)

var update = flag.Bool("update", false, "write the generated files")

const referenceFile = "../docs/metrics.md"

const referenceHead = `# Metrics

<!-- Generated from the list of kinds by "make generate". -->

The tables list the metric families of each kind. Families that kube-state-metrics has use its
names, labels and values. The meanings are ours; the exposition has them as HELP, after the
stability level in brackets.

- **Unit** is – for plain numbers: counts, 1 or 0 for true or false, and 1 where only the labels
  matter. Unix seconds count from 1970. "By" precedes the label that names the unit of a sample.
- **Labels** are in the order of the exposition. A star stands for any number of labels, one for
  each key of a Kubernetes label, annotation or other map. Keys become label names as
  ` + "`app.kubernetes.io/name`" + ` becomes ` + "`label_app_kubernetes_io_name`" + `. Where "or" separates two
  lists, a sample has the labels of one of them.
- Families that end in ` + "`_labels`" + ` or ` + "`_annotations`" + ` exist for the kinds that
  ` + "`--metric-labels-allowlist`" + ` or ` + "`--metric-annotations-allowlist`" + ` names, with the keys that it
  allows. ` + "`kube_volumeattachment_labels`" + ` always exists, with all keys.
- **Opt-in** families exist if ` + "`--metric-opt-in-list`" + ` matches their name.
- **Stability** has the meaning that it has for Kubernetes' own metrics: name, labels and meaning of
  a STABLE family do not change, those of an ALPHA family may.
- **KSM** shows whether kube-state-metrics 2.20 has the family; "main" stands for families that it
  has merged for a later release.
- A time that has not come, and most other fields that an object does not set, give no sample.

`

// The reference must list the rendered families. With -update, the test writes it.
func TestMetricsReference(t *testing.T) {
	want := referenceHead + reference(All(), renderedLabels(t), ksmHas(t)) + zerosReference()
	if *update {
		if err := os.WriteFile(referenceFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(readFile(t, referenceFile)); got != want {
		t.Errorf("%s differs from the list of kinds; run make generate:\n%s", referenceFile, firstDifference(got, want))
	}
}

func reference(kinds []Kind, labels map[string][]string, ksm map[string]string) string {
	var b strings.Builder
	for _, k := range kinds {
		fmt.Fprintf(&b, "- [%s](#%[1]s)%s\n", k.Name(), map[bool]string{false: ", when named by `--resources`"}[k.Default])
	}
	for _, k := range kinds {
		scope := "cluster-scoped"
		if k.Namespaced {
			scope = "namespaced"
		}
		fmt.Fprintf(&b, "\n## %s\n\nAPI `%s`, %s.\n\n", k.Name(), k.Resource.GroupVersion(), scope)
		b.WriteString("| Name | Type | Unit | Labels | Stability | Opt-in | KSM | Meaning |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
		for _, f := range k.Families() {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s | %s |\n", f.Name, f.Type, cmp.Or(f.Unit, "–"),
				strings.Join(labels[f.Name], "<br>or "), f.Stability, map[bool]string{true: "yes"}[f.OptIn], ksm[f.Name], f.Help)
		}
	}
	return b.String()
}

const zerosHead = `
## Samples with the value 0

` + "`--metric.skip-zero-statesets`" + ` leaves out the samples of these families that have the value 0,
except those with the labels in the second column, which alerts of kubernetes-mixin compare with 0.

| Name | Samples that stay |
| --- | --- |
`

// zerosReference lists the families whose samples with the value 0 can be left out.
func zerosReference() string {
	var b strings.Builder
	b.WriteString(zerosHead)
	for _, s := range stateSets() {
		kept := ""
		if s.kept != "" {
			kept = "`" + s.kept + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", s.family, kept)
	}
	return b.String()
}

// ksmHas returns for each family whether kube-state-metrics has it.
func ksmHas(t *testing.T) map[string]string {
	t.Helper()
	has := map[string]string{}
	for _, c := range readCatalogue(t) {
		has[c.family] = c.ksm
	}
	return has
}

// renderedLabels returns the labels of each family in the lines of the fixtures' objects: one list of names, or more if
// the labels of samples differ.
func renderedLabels(t *testing.T) map[string][]string {
	t.Helper()
	labels := map[string][]string{}
	eachLine(t, func(line string) {
		family, names := readLabelNames(t, line)
		if list := labelList(names); !slices.Contains(labels[family], list) {
			labels[family] = append(labels[family], list)
		}
	})
	for _, k := range All() {
		for _, f := range k.Families() {
			if labels[f.Name] = withoutBare(labels[f.Name]); len(labels[f.Name]) == 0 {
				t.Errorf("no fixture has a sample of %s", f.Name)
			}
		}
	}
	return labels
}

// eachLine calls visit with every line of all families for the fixtures' objects.
func eachLine(t *testing.T, visit func(line string)) {
	t.Helper()
	renderers := map[string]*Renderer{}
	for _, k := range All() {
		renderers[k.Name()] = mustRenderer(t, k, everything(t))
	}
	var l Lines
	for _, f := range readFixtures(t) {
		for _, o := range f.objects {
			r := renderers[o.resource]
			if r == nil {
				t.Fatalf("%s: unknown resource %s", f.name, o.resource)
			}
			if err := r.Render(wire.JSON, o.raw[wire.JSON], &l); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(l.Buf)) {
				visit(line)
			}
		}
	}
}

// labelList formats names as in the reference: those that come from an object's keys are one name with a star.
func labelList(names []string) string {
	var list []string
	for _, name := range names {
		for _, prefix := range []string{"label_", "annotation_", "metadata_", "nodeselector_", "selector_", "parameter_"} {
			if strings.HasPrefix(name, prefix) {
				name = prefix + "*"
			}
		}
		if name = "`" + name + "`"; !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return strings.Join(list, ", ")
}

// withoutBare removes the lists that another list with a star includes.
func withoutBare(lists []string) []string {
	return slices.DeleteFunc(slices.Clone(lists), func(list string) bool {
		return slices.ContainsFunc(lists, func(other string) bool {
			return strings.HasPrefix(other, list+", ") && strings.HasSuffix(other, "_*`")
		})
	})
}
