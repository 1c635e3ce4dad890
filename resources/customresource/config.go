package customresource

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/resources"
)

const (
	configKind    = "CustomResourceStateMetrics"
	defaultPrefix = "kube_customresource"
	wildcard      = "*"
)

// Config is a configuration that was found to be right. It is immutable and
// safe for concurrent use.
type Config struct {
	entries  []*entry
	warnings []string
}

// Warnings returns what is doubtful in the configuration, each with its place and
// line: faults that kube-state-metrics tolerates, and metrics without a label that
// identifies the object.
func (c *Config) Warnings() []string { return slices.Clone(c.warnings) }

// entry is one element of spec.resources.
type entry struct {
	gvk     schema.GroupVersionKind // version and kind may be the wildcard
	plural  string                  // resourcePlural, "" when not given
	metrics []*metric
}

// matches reports whether the entry is for that kind.
func (e *entry) matches(gvk schema.GroupVersionKind) bool {
	return e.gvk.Group == gvk.Group &&
		(e.gvk.Version == gvk.Version || e.gvk.Version == wildcard) &&
		(e.gvk.Kind == gvk.Kind || e.gvk.Kind == wildcard)
}

// pinned reports whether the entry names an API resource completely, so that it
// can be followed without a definition.
func (e *entry) pinned() bool { return e.plural != "" && e.gvk.Version != wildcard }

// Parse reads a configuration: YAML, of which several documents count as one.
// The error joins up to 20 faults, each with its place and line, such as
// "spec.resources[2].metrics[0].each.gauge.path[1] (line 14): …". Faults that
// kube-state-metrics tolerates are warnings; see [Config.Warnings].
func Parse(r io.Reader) (*Config, error) { return parse(r, false) }

// ParseStrict is [Parse] without tolerance: all faults are in the error.
func ParseStrict(r io.Reader) (*Config, error) { return parse(r, true) }

func parse(r io.Reader, strict bool) (*Config, error) {
	p := parser{config: &Config{}, families: map[string]*familyOrigin{}, plurals: map[schema.GroupVersionKind]string{}}
	p.strict = strict
	decoder := yaml.NewDecoder(bufio.NewReader(r))
	found := false
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for _, node := range document.Content {
			if root := (field{seen: &p.reading}).below("", node); !root.isNull() {
				found = true
				p.document(root)
			}
		}
	}
	if !found {
		return nil, errors.New("spec.resources: missing, the configuration is empty")
	}
	p.finish()
	if err := p.err(); err != nil {
		return nil, err
	}
	if p.config.warnings = p.warnings; p.unsaid > 0 {
		p.config.warnings = append(p.config.warnings, fmt.Sprintf("%d more", p.unsaid))
	}
	return p.config, nil
}

// parser builds a Config.
type parser struct {
	reading
	config   *Config
	families map[string]*familyOrigin
	plurals  map[schema.GroupVersionKind]string
}

// familyOrigin is a family and what its metrics agree on.
type familyOrigin struct {
	*resources.Family
	place string
	kind  string // type of its metrics
	// labelled says that each state set's label is called as the family, which
	// makes the family a state set in OpenMetrics' terms too.
	labelled bool
}

func (p *parser) document(root field) {
	root.object(
		may("kind", func(f field) {
			if got := f.text(); got != configKind {
				f.warn("it is ignored", "%q is unknown; %s is expected", got, configKind)
			}
		}),
		should("spec", noResources, func(f field) {
			f.object(should("resources", noResources, func(f field) {
				for _, e := range f.elements() {
					p.resource(e)
				}
			}))
		}),
	)
}

// resourceFields are what an entry hands on to its metrics.
type resourceFields struct {
	prefix     string
	common     map[string]string
	labelsFrom map[string]path
	verbosity  int32
}

// What becomes of what is missing.
const (
	noResources = "no custom resource is exported by it"
	entryOut    = "the entry is left out"
	noMetrics   = "the entry gives no series"
	metricOut   = "the metric is left out"
)

func (p *parser) resource(f field) {
	if f.isNull() {
		f.warn(entryOut, "a mapping is expected")
		return
	}
	e := &entry{}
	given := resourceFields{prefix: defaultPrefix}
	f.object(
		should("groupVersionKind", entryOut, func(f field) { e.gvk = readGVK(f) }),
		may("resourcePlural", func(f field) { e.plural = p.readPlural(f, e.gvk) }),
		may("metricNamePrefix", func(f field) { given.prefix = f.text() }),
		may("commonLabels", func(f field) { given.common = readCommonLabels(f) }),
		may("labelsFromPath", func(f field) { given.labelsFrom = readLabelsFromPath(f, false) }),
		may("errorLogV", func(f field) { given.verbosity = f.verbosity() }),
		should("metrics", noMetrics, func(f field) {
			all := f.elements()
			if len(all) == 0 {
				f.warn(noMetrics, "names no metrics")
			}
			for _, each := range all {
				if m := p.metric(each, given); m != nil {
					e.metrics = append(e.metrics, m)
				}
			}
		}),
	)
	if e.gvk.Group != "" {
		p.config.entries = append(p.config.entries, e)
	}
}

// readGVK reads which kinds an entry is for. A version or kind that is not given
// stands for any, like the wildcard.
func readGVK(f field) schema.GroupVersionKind {
	const anyVersion, anyKind = "every version is meant", "every kind is meant"
	gvk := schema.GroupVersionKind{}
	f.object(
		should("group", entryOut, func(f field) {
			if gvk.Group = f.expected(entryOut); gvk.Group == wildcard {
				gvk.Group = ""
				f.warn(entryOut, "only version and kind may be %q", wildcard)
			}
		}),
		should("version", anyVersion, func(f field) { gvk.Version = f.expected(anyVersion) }),
		should("kind", anyKind, func(f field) { gvk.Kind = f.expected(anyKind) }),
	)
	gvk.Version, gvk.Kind = cmp.Or(gvk.Version, wildcard), cmp.Or(gvk.Kind, wildcard)
	return gvk
}

var pluralName = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

func (p *parser) readPlural(f field, gvk schema.GroupVersionKind) string {
	plural := f.text()
	if plural == "" {
		return ""
	}
	const ignored = "it is ignored"
	before, known := p.plurals[gvk]
	switch {
	case gvk.Kind == wildcard:
		f.warn(ignored, "names one kind, but groupVersionKind.kind is %q", wildcard)
		return ""
	case !pluralName.MatchString(plural):
		f.warn(ignored, "%q is no name of an API resource: lower case letters, digits and hyphens", plural)
		return ""
	case known && before != plural:
		f.warn("the first one counts", "%q here, but %q in an entry before for the same groupVersionKind", plural, before)
		return before
	}
	p.plurals[gvk] = plural
	return plural
}

func readCommonLabels(f field) map[string]string {
	labels := map[string]string{}
	members, _ := f.members()
	for _, m := range members {
		checkLabel(m.field, m.name)
		labels[m.name] = m.text()
	}
	return labels
}

// readLabelsFromPath reads label names and paths. Only labels of a single value
// should have an empty path, which is the value itself.
func readLabelsFromPath(f field, mayBeEmpty bool) map[string]path {
	labels := map[string]path{}
	members, _ := f.members()
	for _, m := range members {
		checkLabel(m.field, m.name)
		p := readPath(m.field)
		if len(p) == 0 && !mayBeEmpty {
			m.warn("it is copied as text", "an empty path is the whole object, which is no label")
		}
		labels[m.name] = p
	}
	return labels
}

func checkLabel(f field, name string) {
	switch {
	case name == "":
		f.fail("a label needs a name")
	case labelName(name) == "__name__":
		f.fail("the label __name__ is the metric's own name")
	}
}

func readPath(f field) path {
	var p path
	for _, step := range f.elements() {
		s, err := newSegment(step.text())
		if err != nil {
			step.fail("%w", err)
		} else if doubt := s.doubt(); doubt != "" {
			step.warn("it is taken as it stands", "%q: %s", s.step, doubt)
		}
		p = append(p, s)
	}
	return p
}

// joined returns what is given, overridden by what is given nearer.
func joined[V any](given, nearer map[string]V) map[string]V {
	all := maps.Clone(given)
	if all == nil {
		return nearer
	}
	maps.Copy(all, nearer)
	return all
}
