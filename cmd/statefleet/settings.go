package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/promslog"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
)

// settings are flags that were checked, and what follows from them.
type settings struct {
	*flags
	kinds      []resources.Kind
	filter     resources.Filter
	assignment shard.Assignment // without --pod
	listen     []address
	telemetry  address
	logger     *slog.Logger
}

// address is where to listen, and the flags that say so.
type address struct{ flag, hostPort string }

// settings checks everything that can be known to be wrong without looking beyond the command line. Errors name the flag.
func (f *flags) settings() (*settings, error) {
	s := &settings{flags: f, logger: promslog.New(&f.log)}
	for _, step := range []func() error{
		s.chooseKinds, s.chooseMetrics, s.checkNamespaces, s.checkNode, s.chooseShard, s.chooseAddresses,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *settings) chooseKinds() error {
	wanted := splitNames(s.resources)
	for _, name := range wanted {
		if err := knownResource("--resources", name); err != nil {
			return err
		}
	}
	for _, k := range resources.All() {
		if len(wanted) == 0 && k.Default || slices.Contains(wanted, k.Name()) {
			s.kinds = append(s.kinds, k)
		}
	}
	return nil
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
	labels, err := allowlist("--metric-labels-allowlist", s.labels)
	if err != nil {
		return err
	}
	annotations, err := allowlist("--metric-annotations-allowlist", s.annotations)
	if err != nil {
		return err
	}
	s.filter, err = resources.NewFilter(resources.Selection{
		Allow:       splitPatterns(s.allow),
		Deny:        splitPatterns(s.deny),
		OptIn:       splitPatterns(s.optIn),
		Labels:      labels,
		Annotations: annotations,
	})
	return err // names the flag
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

func (s *settings) chooseAddresses() error {
	s.telemetry = address{"--telemetry-host, --telemetry-port", hostPort(s.telemetryHost, s.telemetryPort)}
	for _, a := range s.listenAddresses {
		_, port, err := net.SplitHostPort(a)
		if err != nil {
			return fmt.Errorf("--web.listen-address: %w", err)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return fmt.Errorf("--web.listen-address: %q has no port between 0 and 65535", a)
		}
		s.listen = append(s.listen, address{"--web.listen-address", a})
	}
	if len(s.listen) == 0 {
		s.listen = []address{{"--host, --port", hostPort(s.host, s.port)}}
	}
	return nil
}

// hostPort joins an address and a port. The unspecified IPv6 address stands for all addresses of the machine, whether or
// not it speaks IPv6.
func hostPort(host string, port uint16) string {
	if host == "::" {
		host = ""
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
