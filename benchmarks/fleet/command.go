package fleet

import (
	"fmt"
	"strings"
	"text/template"
)

// Command is the command line of an exporter: its first word is the binary, and every other word a
// template (text/template) over a [Place].
type Command []string

// Place is the part of the command line that differs between the replicas of a fleet.
type Place struct {
	Kubeconfig          string
	Port, TelemetryPort int
	Shard, Shards       int
}

// On is the command line of statefleet with its ports, and of every exporter that has the flags of
// kube-state-metrics; further flags follow.
func On(binary string, flags ...string) Command {
	return append(Command{
		binary, "--host=" + Loopback, "--telemetry-host=" + Loopback,
		"--port={{.Port}}", "--telemetry-port={{.TelemetryPort}}",
	}, flags...)
}

// Static is On for a static fleet: with the flags that name the cluster and the shard.
func Static(binary string, flags ...string) Command {
	return append(On(binary, "--kubeconfig={{.Kubeconfig}}", "--shard={{.Shard}}", "--total-shards={{.Shards}}"), flags...)
}

// ParseCommand splits arguments at spaces. With a template among them they are the whole command
// line, else they follow the flags of [Static].
func ParseCommand(binary, arguments string) (Command, error) {
	words := strings.Fields(arguments)
	c := Static(binary, words...)
	if strings.Contains(arguments, "{{") {
		c = append(Command{binary}, words...)
	}
	_, err := c.at(Place{})
	return c, err
}

// at fills in the templates.
func (c Command) at(p Place) ([]string, error) {
	filled := make([]string, len(c))
	for i, word := range c {
		if i == 0 || !strings.Contains(word, "{{") {
			filled[i] = word
			continue
		}
		t, err := template.New("argument").Parse(word)
		if err != nil {
			return nil, fmt.Errorf("argument %s: %w", word, err)
		}
		var b strings.Builder
		if err := t.Execute(&b, p); err != nil {
			return nil, fmt.Errorf("argument %s: %w", word, err)
		}
		filled[i] = b.String()
	}
	return filled, nil
}
