package fleet

import (
	"fmt"
	"strings"
	"text/template"
)

// Command is the command line of an exporter. The first element is the path of the binary, and every
// other element is a template (text/template) over a [Place].
type Command []string

// Place is the part of the command line that differs between the replicas of a fleet.
type Place struct {
	Kubeconfig          string
	Port, TelemetryPort int
	Shard, Shards       int
}

// On returns the command line of statefleet, or of another exporter with the flags of
// kube-state-metrics: the flags for addresses and ports, and then the given flags.
func On(binary string, flags ...string) Command {
	return append(Command{
		binary, "--host=" + Loopback, "--telemetry-host=" + Loopback,
		"--port={{.Port}}", "--telemetry-port={{.TelemetryPort}}",
	}, flags...)
}

// Static returns the command line of a replica of a static fleet: that of [On] with the flags for the
// kubeconfig and the shard.
func Static(binary string, flags ...string) Command {
	return append(On(binary, "--kubeconfig={{.Kubeconfig}}", "--shard={{.Shard}}", "--total-shards={{.Shards}}"), flags...)
}

// ParseCommand splits arguments at spaces. If there is a template among them, they are the whole command
// line, else they follow the flags of [Static]. A template that cannot be executed is an error.
func ParseCommand(binary, arguments string) (Command, error) {
	args := strings.Fields(arguments)
	c := Static(binary, args...)
	if strings.Contains(arguments, "{{") {
		c = append(Command{binary}, args...)
	}
	_, err := c.expand(Place{})
	return c, err
}

// expand executes the templates.
func (c Command) expand(p Place) ([]string, error) {
	filled := []string{c[0]} // the path is not a template
	for _, word := range c[1:] {
		t, err := template.New("argument").Parse(word)
		if err != nil {
			return nil, fmt.Errorf("argument %s: %w", word, err)
		}
		var b strings.Builder
		if err := t.Execute(&b, p); err != nil {
			return nil, fmt.Errorf("argument %s: %w", word, err)
		}
		filled = append(filled, b.String())
	}
	return filled, nil
}
