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

// Config is a valid configuration. It is immutable and safe for concurrent use.
type Config struct {
	entries  []*entry
	strict   bool // read by ParseStrict
	warnings []string
}

// Warnings returns the warnings about the configuration, each with its place and line: errors that kube-state-metrics
// tolerates, and metrics without a label that identifies the object.
func (c *Config) Warnings() []string { return slices.Clone(c.warnings) }

// entry is one element of spec.resources.
type entry struct {
	place     string                  // in the configuration
	gvk       schema.GroupVersionKind // version and kind may be the wildcard
	plural    string                  // resourcePlural, "" when not given
	selection selection
	metrics   []*metric
}

// matches reports whether the entry is for that kind.
func (e *entry) matches(gvk schema.GroupVersionKind) bool {
	return e.gvk.Group == gvk.Group &&
		(e.gvk.Version == gvk.Version || e.gvk.Version == wildcard) &&
		(e.gvk.Kind == gvk.Kind || e.gvk.Kind == wildcard)
}

// overlaps reports whether both entries may be for the same kind.
func (e *entry) overlaps(other *entry) bool {
	same := func(a, b string) bool { return a == b || a == wildcard || b == wildcard }
	return e.gvk.Group == other.gvk.Group && same(e.gvk.Version, other.gvk.Version) && same(e.gvk.Kind, other.gvk.Kind)
}

// Parse reads a configuration in YAML. Several documents count as one. The error joins up to 20 errors, each with its
// place and line, such as "spec.resources[2].metrics[0].each.gauge.path[1] (line 14): …". Errors that
// kube-state-metrics tolerates are warnings; see [Config.Warnings].
func Parse(r io.Reader) (*Config, error) { return parse(r, false) }

// ParseStrict is [Parse] without tolerance and without extensions. Errors that kube-state-metrics tolerates are errors,
// and so is everything that kube-state-metrics does not have.
func ParseStrict(r io.Reader) (*Config, error) { return parse(r, true) }

func parse(r io.Reader, strict bool) (*Config, error) {
	p := parser{
		reading:  reading{strict: strict},
		config:   &Config{strict: strict},
		families: map[string]*familyOrigin{},
		plurals:  map[schema.GroupVersionKind]string{},
	}
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
			if root := (field{seen: &p.reading}).child("", node); !root.isNull() {
				found = true
				p.document(root)
			}
		}
	}
	if !found {
		return nil, errors.New("spec.resources: missing, the configuration is empty")
	}
	p.checkSelections()
	if err := errors.Join(p.faults...); err != nil {
		return nil, err
	}
	p.setTypes()
	if p.config.warnings = p.warnings; p.dropped > 0 {
		p.config.warnings = append(p.config.warnings, fmt.Sprintf("%d more", p.dropped))
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

// familyOrigin is a family and the properties that its metrics share.
type familyOrigin struct {
	*resources.Family
	place string // of the first metric
	kind  string // type of all metrics
	limit int    // seriesLimit of all metrics that have one; 0: none yet
	// selfLabelled is set for a state set whose label has the name of the family, as OpenMetrics requires.
	selfLabelled bool
}

func (p *parser) document(root field) {
	root.object(
		optional("kind", func(f field) {
			if got := f.text(); got != configKind {
				f.warn(ignored, "%q is unknown; %s is expected", got, configKind)
			}
		}),
		expected("spec", noResources, func(f field) {
			f.object(expected("resources", noResources, func(f field) {
				for _, e := range f.elements() {
					p.resource(e)
				}
			}))
		}),
	)
}

// resourceFields are inherited by the metrics of an entry.
type resourceFields struct {
	prefix     string
	common     map[string]string
	labelsFrom map[string]path
	verbosity  int32
}

func (p *parser) resource(f field) {
	if f.isNull() {
		f.warn(noEntry, "a mapping is expected")
		return
	}
	e := &entry{place: f.String()}
	named := false
	inherited := resourceFields{prefix: defaultPrefix}
	f.object(
		expected("groupVersionKind", noEntry, func(f field) { e.gvk, named = readGVK(f) }),
		optional("resourcePlural", func(f field) { e.plural = p.readPlural(f, e.gvk) }),
		extension("labelSelector", func(f field) { e.selection.labels = readLabelSelector(f) }),
		extension("fieldSelector", func(f field) { e.selection.fields = readFieldSelector(f) }),
		optional("metricNamePrefix", func(f field) { inherited.prefix = f.text() }),
		optional("commonLabels", func(f field) { inherited.common = readCommonLabels(f) }),
		optional("labelsFromPath", func(f field) { inherited.labelsFrom = readLabelsFromPath(f, false) }),
		optional("errorLogV", func(f field) { inherited.verbosity = f.verbosity() }),
		expected("metrics", noSeries, func(f field) {
			all := f.elements()
			if len(all) == 0 {
				f.warn(noSeries, "names no metrics")
			}
			for _, each := range all {
				if m := p.metric(each, inherited); m != nil {
					e.metrics = append(e.metrics, m)
				}
			}
		}),
	)
	if guard := protect(e.gvk, e.plural); guard != nil {
		guard.check(e, &p.reading)
	}
	if named {
		p.config.entries = append(p.config.entries, e)
	}
}

// readGVK reads the kinds that an entry is for. A missing version or kind stands for any, like the wildcard. ok is
// false if the entry must be left out.
func readGVK(f field) (gvk schema.GroupVersionKind, ok bool) {
	const anyVersion, anyKind = "every version is meant", "every kind is meant"
	f.object(
		expected("group", noEntry, func(f field) {
			gvk.Group = f.text()
			switch ok = f.node.Kind == yaml.ScalarNode && gvk.Group != wildcard; {
			case gvk.Group == wildcard:
				f.warn(noEntry, "only version and kind may be %q", wildcard)
			case ok && isBuiltin(gvk.Group):
				f.extension(fmt.Sprintf("the group %q, whose kinds have no CustomResourceDefinition,", gvk.Group))
			}
		}),
		expected("version", anyVersion, func(f field) { gvk.Version = f.nonEmpty(anyVersion) }),
		expected("kind", anyKind, func(f field) { gvk.Kind = f.nonEmpty(anyKind) }),
	)
	gvk.Version, gvk.Kind = cmp.Or(gvk.Version, wildcard), cmp.Or(gvk.Kind, wildcard)
	if ok && gvk.Group == "" && (gvk.Version == wildcard || gvk.Kind == wildcard) {
		f.warn(noEntry, "the core group has no CustomResourceDefinitions, so version and kind must be named")
		ok = false
	}
	return gvk, ok
}

var pluralName = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

func (p *parser) readPlural(f field, gvk schema.GroupVersionKind) string {
	plural := f.text()
	if plural == "" {
		return ""
	}
	first, known := p.plurals[gvk]
	switch {
	case gvk.Kind == wildcard:
		f.warn(ignored, "names one kind, but groupVersionKind.kind is %q", wildcard)
		return ""
	case !pluralName.MatchString(plural):
		f.warn(ignored, "%q is not the name of an API resource: lower case letters, digits and hyphens", plural)
		return ""
	case known && first != plural:
		f.warn("the first one counts", "%q here, but %q in an earlier entry for the same groupVersionKind", plural, first)
		return first
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

// readLabelsFromPath reads label names and paths. An empty path is the value itself, which makes sense only for the
// labels of a single value.
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

// mergeMaps returns the entries of both maps. Entries of nearer replace those of inherited.
func mergeMaps[V any](inherited, nearer map[string]V) map[string]V {
	all := maps.Clone(inherited)
	if all == nil {
		return nearer
	}
	maps.Copy(all, nearer)
	return all
}
