package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/prometheus/common/promslog"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/resources/customresource"
	"github.com/statefleet/statefleet/shard"
)

// settings are flags that were checked, and what follows from them.
type settings struct {
	*flags
	kinds      []resources.Kind
	filter     resources.Filter
	selector   labels.Selector        // of namespaces; nil: all, or those that are named
	customized *customresource.Config // nil: no custom resources
	assignment shard.Assignment       // without --pod
	listen     []address
	telemetry  address
	logger     *slog.Logger
}

// settings checks everything that can be known to be wrong without looking beyond the command line. Errors name the flag.
func (f *flags) settings() (*settings, error) {
	s := &settings{flags: f, logger: promslog.New(&f.log)}
	for _, step := range []func() error{
		s.chooseKinds, s.chooseMetrics, s.chooseCustom, s.checkNamespaces, s.chooseNamespaces, s.checkNode, s.chooseShard,
		s.chooseAddresses, s.chooseSockets, s.chooseTLS, s.checkAuth,
	} {
		if err := step(); err != nil {
			return nil, f.origins.explain(err)
		}
	}
	return s, nil
}

// load reads and checks the command line and the files that it names, as parse and settings do. The files are returned
// with an error, too.
func load(args []string, stdout, stderr io.Writer) (s *settings, files []file, done bool, err error) {
	f, done, err := parse(args, stdout, stderr)
	if err != nil || done {
		return nil, f.files, done, err
	}
	if s, err = f.settings(); err != nil {
		return nil, f.files, false, usageError{err}
	}
	return s, f.files, false, nil
}

func (s *settings) chooseKinds() error {
	wanted := splitNames(s.resources)
	for _, name := range wanted {
		if err := knownResource("--resources", name); err != nil {
			return err
		}
	}
	for _, k := range resources.All() {
		if !s.customOnly && (len(wanted) == 0 && k.Default || slices.Contains(wanted, k.Name())) {
			s.kinds = append(s.kinds, k)
		}
	}
	return nil
}

// names returns the names of the kinds that are built in.
func (s *settings) names() []string {
	var names []string
	for _, k := range s.kinds {
		names = append(names, k.Name())
	}
	return names
}

func knownResource(flag, name string) error {
	if known := knownResources(); !slices.Contains(known, name) {
		return fmt.Errorf("%s: unknown resource %q; known are %s", flag, name, strings.Join(known, ", "))
	}
	return nil
}

func knownResources() []string {
	var names []string
	for _, k := range resources.All() {
		names = append(names, k.Name())
	}
	return names
}

func defaultResources() string {
	var names []string
	for _, k := range resources.All() {
		if k.Default {
			names = append(names, k.Name())
		}
	}
	return strings.Join(names, ", ")
}

func (s *settings) chooseMetrics() error {
	byLabel, err := allowlist("--"+labelsFlag, s.labels)
	if err != nil {
		return err
	}
	byAnnotation, err := allowlist("--"+annotationsFlag, s.annotations)
	if err != nil {
		return err
	}
	s.filter, err = resources.NewFilter(resources.Selection{
		Allow:       splitPatterns(s.allow),
		Deny:        splitPatterns(s.deny),
		OptIn:       splitPatterns(s.optIn),
		Labels:      byLabel,
		Annotations: byAnnotation,

		SkipZeroStateSets: s.skipZero,
		CopiedLabelsWin:   s.copiedLabelsWin,
	})
	return err // names the flag
}

func (s *settings) chooseCustom() error {
	if s.custom == "" && s.customFile == "" {
		if s.customOnly {
			return fmt.Errorf("--custom-resource-state-only needs --%s or --%s", customFlag, customFileFlag)
		}
		return nil
	}
	parse := customresource.Parse
	if s.customStrict {
		parse = customresource.ParseStrict
	}
	config, err := parse(strings.NewReader(s.custom))
	if err == nil {
		err = config.CheckNames(s.kinds, s.filter)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.customSource(), err)
	}
	s.customized = config
	return nil
}

// customSource returns where the configuration of custom resources is from, for people to read.
func (s *settings) customSource() string {
	if s.customFile != "" {
		return "--" + customFileFlag + ": " + s.customFile
	}
	return "--" + customFlag
}

// warnCustom logs what is doubtful in the configuration of custom resources.
func (s *settings) warnCustom() {
	for _, warning := range s.customized.Warnings() {
		s.logger.Warn("a doubtful custom resource configuration", "config", s.customSource(), "warning", warning)
	}
}

func allowlist(flag string, entries []string) (resources.Allowlist, error) {
	list, err := resources.ParseAllowlist(entries)
	if err != nil {
		return resources.Allowlist{}, fmt.Errorf("%s: %w", flag, err)
	}
	for _, name := range list.Resources() {
		if err := knownResource(flag, name); err != nil {
			return resources.Allowlist{}, err
		}
	}
	return list, nil
}

func (s *settings) checkNamespaces() error {
	s.namespaces, s.denied = splitNames(s.namespaces), splitNames(s.denied)
	if err := checkNames("--namespaces", s.namespaces); err != nil {
		return err
	}
	if err := checkNames("--namespaces-denylist", s.denied); err != nil {
		return err
	}
	for _, name := range s.namespaces {
		if slices.Contains(s.denied, name) {
			return fmt.Errorf("--namespaces and --namespaces-denylist both name %q", name)
		}
	}
	return nil
}

func (s *settings) chooseNamespaces() error {
	selector, err := labels.Parse(s.namespacesSelector)
	switch {
	case err != nil:
		return fmt.Errorf("--namespaces-selector: %w", err)
	case selector.Empty():
		return nil
	case len(s.namespaces) > 0:
		return errors.New("--namespaces and --namespaces-selector exclude each other")
	}
	s.selector = selector
	return nil
}

func checkNames(flag string, namespaces []string) error {
	for _, name := range namespaces {
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return fmt.Errorf("%s: %q cannot be a namespace: %s", flag, name, problems[0])
		}
	}
	return nil
}

func (s *settings) checkNode() error {
	if s.node == "" {
		return nil
	}
	if s.trackUnscheduled {
		return errors.New("--node and --track-unscheduled-pods exclude each other")
	}
	if problems := validation.IsDNS1123Subdomain(s.node); len(problems) > 0 {
		return fmt.Errorf("--node: %q cannot be a node: %s", s.node, problems[0])
	}
	return nil
}

func (s *settings) chooseShard() (err error) {
	if s.standby && s.pod == "" {
		return errors.New("--shard.standby needs --pod: replicas stand by for one another in a StatefulSet")
	}
	if s.pod == "" && s.podNamespace == "" {
		s.assignment, err = shard.Static(s.shard, s.totalShards)
		return err // names the flag
	}
	if s.podNamespace == "" {
		return errors.New("--pod needs --pod-namespace")
	}
	if s.pod == "" {
		return errors.New("--pod-namespace needs --pod")
	}
	if err := checkNames("--pod-namespace", []string{s.podNamespace}); err != nil {
		return err
	}
	if problems := validation.IsDNS1123Subdomain(s.pod); len(problems) > 0 {
		return fmt.Errorf("--pod: %q cannot be a pod: %s", s.pod, problems[0])
	}
	if _, _, err := shard.Ordinal(s.pod); err != nil {
		return fmt.Errorf("--pod: %w", err)
	}
	return nil
}
