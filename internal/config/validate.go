package config

import (
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
)

// validateObjects checks the settings that choose what is exposed, and derives fields from them.
// Errors name the flags.
func (c *Config) validateObjects() error {
	switch {
	case len(c.Namespaces) > 0 && c.NamespaceSelector != nil:
		return errors.New("--namespaces and --namespaces-selector exclude each other")
	case c.Node != "" && c.TrackUnscheduled:
		return errors.New("--node and --track-unscheduled-pods exclude each other")
	}
	for _, name := range c.Namespaces {
		if slices.Contains(c.NamespacesDenied, name) {
			return fmt.Errorf("--namespaces and --namespaces-denylist both name %q", name)
		}
	}
	if !c.raw.customOnly {
		c.Kinds = slices.DeleteFunc(resources.All(), func(k resources.Kind) bool {
			return !slices.Contains(c.raw.resources, k.Name()) && (len(c.raw.resources) > 0 || !k.Default)
		})
	}
	if err := c.deriveFilter(); err != nil {
		return err
	}
	return c.deriveCustom()
}

func (c *Config) deriveFilter() error {
	byLabel, err := allowlist(labelsFlag, c.raw.labels)
	if err != nil {
		return err
	}
	byAnnotation, err := allowlist(annotationsFlag, c.raw.annotations)
	if err != nil {
		return err
	}
	c.Filter, err = resources.NewFilter(resources.Selection{
		Allow:       c.raw.allow,
		Deny:        c.raw.deny,
		OptIn:       c.raw.optIn,
		Labels:      byLabel,
		Annotations: byAnnotation,

		ParameterKeys:     c.raw.parameters,
		SkipZeroStateSets: c.raw.skipZero,
		CopiedLabelsWin:   c.raw.copiedLabelsWin,
	})
	return err // names the flag
}

func allowlist(flag string, entries []string) (resources.Allowlist, error) {
	allowed, err := resources.ParseAllowlist(entries)
	for _, name := range allowed.Resources() {
		if err == nil {
			err = checkKind(name)
		}
	}
	if err != nil {
		return allowed, fmt.Errorf("--%s: %w", flag, err)
	}
	return allowed, nil
}

// validateProcess checks the settings of the shard and of the servers, and derives fields from
// them. Errors name the flags.
func (c *Config) validateProcess() (err error) {
	switch {
	case c.Standby && c.Pod == "":
		return errors.New("--shard.standby needs --pod: only replicas of a StatefulSet have a standby")
	case c.Pod != "" && c.PodNamespace == "":
		return errors.New("--pod needs --pod-namespace")
	case c.Pod == "" && c.PodNamespace != "":
		return errors.New("--pod-namespace needs --pod")
	case c.SystemdSocket && len(c.raw.listenAddresses) > 0:
		return errors.New("--web.systemd-socket and --web.listen-address exclude each other")
	case c.raw.tlsConfig != "" && c.WebConfigFile != "" && c.raw.tlsConfig != c.WebConfigFile:
		return errors.New("--tls-config and --web.config.file are the same setting and have different values")
	case !c.AuthFilter && len(c.Audiences) > 0:
		return errors.New("--auth-filter.audience needs --auth-filter")
	case !c.AuthFilter && c.PathPrefix != "":
		return errors.New("--auth-filter.path-prefix needs --auth-filter")
	}
	c.deriveAddresses()
	if c.WebConfigFile == "" {
		c.WebConfigFile = c.raw.tlsConfig
	}
	if c.Pod == "" {
		c.Assignment, err = shard.Static(c.raw.shard, c.raw.totalShards)
	}
	return err // names the flag
}

// Address is an address to listen on, and the flags that set it.
type Address struct{ Flag, HostPort string }

func (c *Config) deriveAddresses() {
	c.Telemetry = Address{"--telemetry-host, --telemetry-port", hostPort(c.raw.telemetryHost, c.raw.telemetryPort)}
	for _, a := range c.raw.listenAddresses {
		c.Listen = append(c.Listen, Address{"--web.listen-address", a})
	}
	if len(c.Listen) == 0 && !c.SystemdSocket {
		c.Listen = []Address{{"--host, --port", hostPort(c.raw.host, c.raw.port)}}
	}
}

// hostPort joins an address and a port. The unspecified IPv6 address means all addresses of the
// machine, even if it has no IPv6.
func hostPort(host string, port uint16) string {
	if host == "::" {
		host = ""
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

func names(kinds []resources.Kind) (all []string) {
	for _, k := range kinds {
		all = append(all, k.Name())
	}
	return all
}

func allKinds() []string { return names(resources.All()) }

func defaultKinds() []resources.Kind {
	return slices.DeleteFunc(resources.All(), func(k resources.Kind) bool { return !k.Default })
}

func checkKind(name string) error {
	if known := allKinds(); !slices.Contains(known, name) {
		hint := didYouMean(name, "", known)
		return fmt.Errorf("unknown resource %q; known are %s%s", name, strings.Join(known, ", "), hint)
	}
	return nil
}

func checkNamespace(name string) error {
	return nameError(name, "namespace", validation.IsDNS1123Label(name))
}

func checkNode(name string) error {
	return nameError(name, "node", validation.IsDNS1123Subdomain(name))
}

func checkPod(name string) error {
	if err := nameError(name, "pod", validation.IsDNS1123Subdomain(name)); err != nil {
		return err
	}
	_, _, err := shard.Ordinal(name)
	return err
}

func nameError(name, of string, problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%q cannot be a %s: %s", name, of, problems[0])
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("must have a port between 0 and 65535, got %q", address)
	}
	return nil
}

func checkPathPrefix(p string) error {
	if path.Clean(p) != p || !strings.HasPrefix(p, "/") || p == "/" || strings.ContainsAny(p, "*?#% ") {
		return fmt.Errorf("must be a path such as /statefleet, without a slash at the end, got %q", p)
	}
	return nil
}

// selectorValue parses a label selector; nil if it selects everything.
func selectorValue(into *labels.Selector) kingpin.Value {
	return parsedValue[labels.Selector]{into, textType, func(s string) (labels.Selector, error) {
		selector, err := labels.Parse(s)
		if err != nil || selector.Empty() {
			return nil, err
		}
		return selector, nil
	}}
}
