package config

import (
	"io"

	"github.com/statefleet/statefleet/shard"
)

const renderDescription = `Prints the exposition for manifests, without a cluster.

Each FILE holds objects as YAML documents or JSON, or a List as "kubectl get -o yaml" prints it; - or no FILE
stands for the standard input. The flags of the exporter that choose objects, families and labels are followed.
Objects of kinds that are not exported are left out with a line on the standard error. Namespaces for
--namespaces-selector are those of the input.`

// StandardInput is the name of the standard input among files.
const StandardInput = "-"

// Render holds the settings of a rendering: those of the exporter, and how to render.
type Render struct {
	*Config
	Manifests []string // names of files; - is the standard input
	Explain   bool
	Ranges    shard.Ranges // the shard that --shard and --total-shards specify
}

// LoadRender reads and checks the command line of a rendering, as [Load] does that of the exporter.
func LoadRender(args []string, stdout, stderr io.Writer) (r *Render, done bool, err error) {
	r = &Render{Config: newConfig()}
	cmd := command{Name + " " + RenderCommand, renderDescription, r.declareRender, r.validateRender}
	done, err = r.load(cmd, args, stdout, stderr)
	return r, done, err
}

func (r *Render) declareRender(s *section) {
	s.flag("explain",
		"Put before each line the object it comes from, and the kind, or the entry of the custom resource "+
			"configuration and its path.").BoolVar(&r.Explain)
	s.app.Arg("FILE", "Manifests to render; - is the standard input.").StringsVar(&r.Manifests)
}

func (r *Render) validateRender() error {
	a, err := shard.Static(r.raw.shard, r.raw.totalShards)
	r.Ranges = a.Ranges()
	if len(r.Manifests) == 0 {
		r.Manifests = []string{StandardInput}
	}
	for i, name := range r.Manifests {
		if name == "" { // kingpin turns - into an empty argument
			r.Manifests[i] = StandardInput
		}
	}
	return err
}

const checkDescription = `Checks flags, the configuration file and the custom resource file, and prints what they select, as YAML: kinds,
metric families, and the RBAC rules that reading them takes. It needs no cluster. Faults are named with file and
line, and the exit status is 2.`

// LoadCheck reads and checks a command line of the exporter, for the command that only checks it.
func LoadCheck(args []string, stdout, stderr io.Writer) (c *Config, done bool, err error) {
	c = newConfig()
	cmd := command{Name + " " + CheckCommand, checkDescription, nil, c.validateProcess}
	done, err = c.load(cmd, args, stdout, stderr)
	return c, done, err
}
