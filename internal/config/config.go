// Package config turns the command line and the YAML configuration file into one [Config]. It knows
// flags, defaults, checks and help texts. It does not import the packages that run, such as
// internal/replica; of internal/web it uses the types of options.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/version"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/resources/customresource"
	"github.com/statefleet/statefleet/shard"
)

// Name is the name of the program and of its main command.
const Name = "statefleet"

// Names of the other commands, which are the first argument.
const (
	EstimateCommand = "estimate"
	RenderCommand   = "render"
	CheckCommand    = "check-config"
	HelpCommand     = "help" // the same as --help
)

// Config holds the settings of an exporter, checked. Fields without a comment have the meaning of
// the flag of that name.
type Config struct {
	Kubeconfig, APIServer string
	APIQPS                float64
	APIBurst              int
	UseAPIServerCache     bool
	CheckInterval         time.Duration

	Pod, PodNamespace string
	Assignment        shard.Assignment // used without Pod
	Standby           bool
	DrainTimeout      time.Duration

	Kinds                               []resources.Kind
	Filter                              resources.Filter
	Namespaces, NamespacesDenied        []string
	NamespaceSelector                   labels.Selector            // nil: no selector
	ObjectSelectors                     map[string]labels.Selector // by kind
	Node                                string
	TrackUnscheduled                    bool
	ObjectLimit, ObjectBytes, ByteLimit int64
	HoldDeleted                         time.Duration

	Custom       *customresource.Config // nil: no custom resources
	CustomSource string                 // the flag, and the file if there is one, that Custom comes from
	CustomGrace  time.Duration

	Listen        []Address // for metrics; none with SystemdSocket
	Telemetry     Address
	SystemdSocket bool
	WebConfigFile string
	AuthFilter    bool
	Audiences     []string
	PathPrefix    string
	MaxRequests   int
	Connections   web.ConnectionLimits
	Timeouts      web.Timeouts
	Profiling     bool

	RawBytes          int64
	SnapshotDir       string // "": nothing is saved
	AutoMemLimit      bool
	AutoMemLimitRatio float64
	Log               promslog.Config
	Files             []File // in the order in which they were read

	raw       inputs
	selection resources.Selection // the source of Filter
	values    map[string]string   // of all flags, as text
	immutable []string            // flags that keep their values while the program runs
	textFlags []string            // flags that determine which objects are exposed, and how
	positions map[string]position // of flags that the configuration file sets
}

// inputs are values of flags from which other fields are derived.
type inputs struct {
	tlsConfig                string
	host, telemetryHost      string
	port, telemetryPort      uint16
	listenAddresses          []string
	gzip                     bool
	resources                []string
	labels, annotations      []string
	custom, customFile       string
	presets                  []string
	customOnly, customStrict bool
	shard, totalShards       int
	shardSet, totalSet       bool
}

// UsageError is an error of the command line or of a file that it names.
type UsageError struct{ error }

// Load reads and checks the command line and the files that it names. done reports that the command
// line asked for output that Load has written, such as --help. The Config is never nil: next to an
// error, its Files are those that were read.
func Load(args []string, stdout, stderr io.Writer) (c *Config, done bool, err error) {
	c = newConfig()
	done, err = c.load(command{Name, description, nil, c.validateProcess}, args, stdout, stderr)
	return c, done, err
}

func newConfig() *Config { return &Config{Timeouts: web.DefaultTimeouts()} }

// command is a command line. All commands have the flags of the exporter.
type command struct {
	name, description string
	flags             func(*section) // declares flags of its own; nil: none
	check             func() error   // checks the settings apart from those that choose what is exposed
}

func (c *Config) load(cmd command, args []string, stdout, stderr io.Writer) (done bool, err error) {
	app := kingpin.New(cmd.name, cmd.description)
	app.UsageWriter(stdout).ErrorWriter(stderr).Terminate(func(int) { done = true })
	app.Version(version.Print(Name))
	app.HelpFlag.Help("Show this help.").Short('h')
	app.VersionFlag.Help("Show the version and how it was built.")
	c.Log.Writer = stderr
	c.declare(app, cmd.flags)
	if args, err = normalizeArgs(app, args); err == nil {
		args, err = c.readConfig(app, args)
	}
	if err == nil {
		if _, err = app.Parse(args); err != nil {
			err = cmd.explain(app, args, err)
		}
	}
	if done {
		return true, nil
	}
	for _, check := range []func() error{c.readCustomConfig, c.validateObjects, cmd.check} {
		if err == nil {
			err = check()
		}
	}
	c.values = map[string]string{}
	for _, m := range app.Model().Flags {
		c.values[m.Name] = m.String()
	}
	if _, unreadable := errors.AsType[*fs.PathError](err); err != nil && !unreadable {
		err = UsageError{c.Locate(err)}
	}
	return false, err
}

// Equal reports whether two configurations have the same effect.
func (c *Config) Equal(other *Config) bool { return maps.Equal(c.values, other.values) }

// TextFingerprint returns a hash of all settings that determine which objects are exposed, and with
// which text. Others, such as ports and the log level, do not change it.
func (c *Config) TextFingerprint() string {
	h := sha256.New()
	for _, name := range slices.Sorted(slices.Values(c.textFlags)) {
		_, _ = h.Write(fmt.Appendf(nil, "%q=%q\n", name, c.values[name])) // never fails
	}
	_, _ = h.Write([]byte(c.raw.custom)) // also if it was read from a file
	return hex.EncodeToString(h.Sum(nil))
}

// CheckImmutable returns an error that names the flags that cannot change while the program runs,
// but differ from how it started.
func (c *Config) CheckImmutable(started *Config) error {
	var changed []string
	for _, name := range c.immutable {
		if c.values[name] != started.values[name] {
			changed = append(changed, "--"+name)
		}
	}
	if changed == nil {
		return nil
	}
	slices.Sort(changed)
	return c.Locate(fmt.Errorf("cannot change without a restart: %s", strings.Join(changed, ", ")))
}

// ExposesNothing reports whether the settings leave no metric family to expose.
func (c *Config) ExposesNothing() bool {
	for _, k := range c.Kinds {
		if r, err := k.Renderer(c.Filter); err != nil || len(r.Families()) > 0 {
			return false
		}
	}
	return !slices.ContainsFunc(c.customFamilies(), c.Filter.Selects)
}

func (c *Config) customFamilies() []resources.Family {
	if c.Custom == nil {
		return nil
	}
	return c.Custom.Families()
}

// KindNames returns the names of the built-in kinds.
func (c *Config) KindNames() []string { return names(c.Kinds) }

// Warnings returns a sentence for each setting that has less effect than it may seem, or that is
// questionable.
func (c *Config) Warnings() (all []string) {
	warn := func(applies bool, text string) {
		if applies {
			all = append(all, text)
		}
	}
	warn(c.raw.customOnly && len(c.raw.resources) > 0, "--resources has no effect with --"+customOnlyFlag)
	warn(c.Pod != "" && (c.raw.shardSet || c.raw.totalSet), "--pod wins over --shard and --total-shards")
	warn(!c.raw.gzip, "--enable-gzip-encoding=false has no effect: clients that accept gzip always get it")
	warn(c.AuthFilter && c.WebConfigFile == "",
		"--auth-filter without TLS sends tokens in clear text; see --web.config.file")
	for _, kind := range slices.Sorted(maps.Keys(c.ObjectSelectors)) {
		warn(!slices.Contains(c.KindNames(), kind), "--object-selector names "+kind+", which is not exposed")
	}
	warn(c.SnapshotDir != "" && (c.ObjectLimit > 0 || c.ByteLimit > 0),
		"--store.snapshot-dir has no effect with --object-limit or --byte-limit")
	known := c.customFamilies()
	for _, k := range resources.All() {
		known = append(known, k.Families()...)
	}
	all = append(all, c.Filter.Ineffective(known)...)
	if c.Custom != nil {
		for _, w := range c.Custom.Warnings() {
			all = append(all, c.CustomSource+": "+w)
		}
	}
	return all
}
