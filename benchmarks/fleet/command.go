package fleet

import (
	"fmt"
	"strings"
	"text/template"
)

// Command is the command line of an exporter: its first word is the binary,
// and every other word a template (text/template) over a [Place].
type Command []string

// Place is what one shard of a fleet is told.
type Place struct {
	Kubeconfig          string
	Port, TelemetryPort int
	Shard, Shards       int
}

// Default is the command line of statefleet, and of every exporter that has
// the flags of kube-state-metrics; further arguments follow.
func Default(binary string, further ...string) Command {
	return append(Alone(binary), append([]string{"--shard={{.Shard}}", "--total-shards={{.Shards}}"}, further...)...)
}

// Alone is Default without the arguments that say which shard it is.
func Alone(binary string) Command {
	return Command{
		binary, "--kubeconfig={{.Kubeconfig}}", "--host=127.0.0.1", "--telemetry-host=127.0.0.1",
		"--port={{.Port}}", "--telemetry-port={{.TelemetryPort}}",
	}
}

// ParseCommand splits arguments at spaces. With a template among them they are
// the whole command line, else they follow the flags of [Default].
func ParseCommand(binary, arguments string) (Command, error) {
	words := strings.Fields(arguments)
	c := Default(binary, words...)
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
		if i == 0 {
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
