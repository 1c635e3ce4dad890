package main

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
	logflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/common/version"

	"github.com/statefleet/statefleet/internal/web"
)

// flags are the values of the command line as they were given; settings checks them.
type flags struct {
	config string

	apiserver, kubeconfig string
	apiQPS                float64
	apiBurst              int
	useAPIServerCache     bool
	checkEvery            time.Duration

	host, telemetryHost string
	port, telemetryPort uint16
	listenAddresses     []string
	webConfigFile       string
	tlsConfig           string
	systemdSocket       bool
	authFilter          bool
	profiling           bool
	audiences           []string
	pathPrefix          string
	maxRequests         int
	connections         web.ConnectionLimits
	timeouts            web.Timeouts
	gzip, gzipSet       bool

	resources            []string
	namespaces, denied   []string
	namespacesSelector   string
	node                 string
	trackUnscheduled     bool
	objectLimit          int64
	byteLimit            int64
	objectBytesLimit     int64
	holdDeleted          time.Duration
	skipZero             bool
	allow, deny, optIn   []string
	labels, annotations  []string
	custom, customFile   string
	customOnly           bool
	customGrace          time.Duration
	customStrict         bool
	copiedLabelsWin      bool
	shard, totalShards   int
	shardSet, totalSet   bool
	pod, podNamespace    string
	drainTimeout         time.Duration
	standby              bool
	rawBytes             int64
	autoMemLimit         bool
	autoMemLimitFraction float64

	log promslog.Config

	origins origins           // of what a configuration file says
	files   []file            // as they were read
	values  map[string]string // of all flags, as text
	fixed   func(flag string) bool
}

const description = `Exposes the state of Kubernetes objects as Prometheus metrics, with the metric names and flags of
kube-state-metrics. Each replica of a fleet exposes its share of the objects; a single one exposes all.

Lists may be separated by commas or given by repeating the flag.

"statefleet estimate" tells what a fleet takes and how many replicas to run; see statefleet estimate --help.`

// command is what a command line may ask for. All commands have the flags of the exporter.
type command struct {
	name, description string
	declare           func(*section) // declares flags of its own; nil: there are none
}

// parse reads the command line of the exporter.
func parse(args []string, stdout, stderr io.Writer) (f *flags, done bool, err error) {
	return command{name: programName, description: description}.parse(args, stdout, stderr)
}

// parse reads the command line and the files that it names. done tells that it asked for something that parse has
// answered, such as --help. The flags are never nil: with an error they hold the files that were read before it.
func (c command) parse(args []string, stdout, stderr io.Writer) (f *flags, done bool, err error) {
	app := kingpin.New(c.name, c.description)
	app.UsageWriter(stdout).ErrorWriter(stderr)
	app.Terminate(func(int) { done = true })
	app.Version(version.Print("statefleet"))
	app.HelpFlag.Help("Show this text.").Short('h')
	app.VersionFlag.Help("Show the version and how it was built.")
	f = &flags{timeouts: web.DefaultTimeouts()}
	declared := f.declare(app)
	if c.declare != nil {
		own := &section{app: app, title: "Estimate"}
		c.declare(own)
		declared = append(sections{own}, declared...)
		declared.use(app)
	}
	f.fixed = declared.fixed
	f.log.Writer = stderr
	if args, err = plainArguments(app, args); err == nil {
		if args, err = f.readConfig(app, args); err == nil {
			_, err = app.Parse(args)
		}
	}
	if done {
		return f, true, nil
	}
	if err == nil {
		err = f.readCustomConfig()
	}
	if unreadable := new(fs.PathError); errors.As(err, &unreadable) {
		return f, false, err
	}
	if err != nil {
		return f, false, usageError{f.origins.explain(err)}
	}
	f.values = map[string]string{}
	for _, m := range app.Model().Flags {
		f.values[m.Name] = m.String()
	}
	return f, false, nil
}

func (f *flags) declare(app *kingpin.Application) sections {
	var sections sections
	f.declareGeneral(sections.add(app, "Configuration"))
	f.declareAPI(sections.add(app, "API server"))
	f.declareSharding(sections.add(app, "Sharding"))
	f.declareObjects(sections.add(app, "Objects"))
	f.declareMetrics(sections.add(app, "Metrics"))
	f.declareCustom(sections.add(app, "Custom resources"))
	f.declareHTTP(sections.add(app, "HTTP"))
	f.declareMemory(sections.add(app, "Memory"))
	f.declareLog(sections.add(app, "Log"))
	sections.use(app)
	return sections
}

func (f *flags) declareGeneral(s *section) {
	s.flag(configFlag, "YAML file with settings: the names of flags without the dashes in front, and their values. Flags on the "+
		"command line win. The file is read again when it changes and on SIGHUP.").PlaceHolder("FILE").StringVar(&f.config)
}

func (f *flags) declareAPI(s *section) {
	s.flag("kubeconfig", "File with the access to the API server; default: the service account of the pod.").
		PlaceHolder("FILE").StringVar(&f.kubeconfig)
	s.flag("apiserver", "URL of the API server, overriding the one in --kubeconfig.").PlaceHolder("URL").StringVar(&f.apiserver)
	s.value("kube-api-qps", "Requests a second to the API server, on average.", positive(&f.apiQPS, 1e6)).Default("100")
	s.value("kube-api-burst", "Requests to the API server at once.", whole(&f.apiBurst, 1)).Default("200")
	s.flag("use-apiserver-cache", "Let the first lists be as old as the API server's cache: cheaper for etcd, possibly stale.").
		BoolVar(&f.useAPIServerCache)
	s.value("consistency.check-interval", "Time between two comparisons of the held objects of a kind with a list of their metadata. A kind "+
		"that differs is listed again. 0: never.", duration(&f.checkEvery)).Default("1h")
	s.fix("kubeconfig", "apiserver")
}

func (f *flags) declareSharding(s *section) {
	s.flag("pod", "Name of this pod, of a StatefulSet, from the downward API. The number at its end is the shard, the "+
		"StatefulSet's replicas are the shards in total, followed as they change. Wins over --shard and --total-shards.").
		PlaceHolder("NAME").StringVar(&f.pod)
	s.flag("pod-namespace", "Namespace of this pod, from the downward API. Needed with --pod.").PlaceHolder("NS").
		StringVar(&f.podNamespace)
	s.value("shard", "The shard that this replica exposes, counted from 0, when it does not follow a StatefulSet.",
		whole(&f.shard, math.MinInt32)).Default("0").IsSetByUser(&f.shardSet)
	s.value("total-shards", "The number of shards, when the replica does not follow a StatefulSet.",
		whole(&f.totalShards, math.MinInt32)).Default("1").IsSetByUser(&f.totalSet)
	s.flag("shard.standby", "Hold the shard of the replica before this one as well, and serve it while that one's pod is not ready; with "+
		"--pod, and the same for all replicas. Nothing is missing then while one replica is away, at up to twice the memory.").
		BoolVar(&f.standby)
	s.value("drain-timeout", "Time to go on serving, once asked to stop, until the fleet has taken over what this replica serves; with "+
		"--pod, when the StatefulSet shrinks or with --shard.standby. The pod's grace period has to be longer. 0: stop at once.",
		duration(&f.drainTimeout)).Default("90s")
	s.fix(s.names...)
}

func (f *flags) declareObjects(s *section) {
	s.flag("resources", "Kinds of objects to expose, by their plural; default: "+defaultResources()+".").
		PlaceHolder("KIND,...").HintAction(knownResources).StringsVar(&f.resources)
	s.flag("namespaces", "Namespaces to expose; default: all.").PlaceHolder("NS,...").StringsVar(&f.namespaces)
	s.flag("namespaces-denylist", "Namespaces to leave out.").PlaceHolder("NS,...").StringsVar(&f.denied)
	s.flag("namespaces-selector", "Label selector of the namespaces to expose, followed as their labels change, such as "+
		"team in (a, b),env!=dev. Excludes --namespaces.").PlaceHolder("SELECTOR").StringVar(&f.namespacesSelector)
	s.flag("node", "Of pods, expose those of this node only; for a DaemonSet, from the downward API.").
		PlaceHolder("NAME").StringVar(&f.node)
	s.flag("track-unscheduled-pods", "Of pods, expose those without a node only; the complement of --node.").
		BoolVar(&f.trackUnscheduled)
	s.value("object-limit", "Objects to hold of each kind at most; what is beyond is left out and counted. 0: no limit.",
		whole(&f.objectLimit, 0)).Default("0")
	s.value("object-bytes-limit", "Bytes of text, uncompressed, of a single object at most; metric families beyond that are left out whole and counted. "+
		"From 64KiB to 1GiB; there is always a limit.", sizeBetween(&f.objectBytesLimit, 64<<10, 1<<30)).Default("4MiB")
	s.value("byte-limit", "Bytes of text, uncompressed, to hold of each kind at most; an object that would go beyond is left out and counted. 0: no limit.",
		size(&f.byteLimit)).Default("0")
}

func (f *flags) declareMetrics(s *section) {
	s.flag("metric-allowlist", "Patterns of the metric families to expose, no others. Patterns are regular expressions that "+
		"match anywhere in the name unless anchored with ^ and $.").PlaceHolder("RE,...").StringsVar(&f.allow)
	s.flag("metric-denylist", "Patterns of the metric families to leave out. Excludes --metric-allowlist.").
		PlaceHolder("RE,...").StringsVar(&f.deny)
	s.flag("metric-opt-in-list", "Patterns of the families to expose that are off by default.").
		PlaceHolder("RE,...").StringsVar(&f.optIn)
	s.flag(labelsFlag, "Labels of objects to expose as labels of the kind's *_labels family, such as "+
		"pods=[app,app.kubernetes.io/*],nodes=[*]; the kind * stands for all, those that are named included.").
		PlaceHolder("KIND=[KEY,...],...").StringsVar(&f.labels)
	s.flag(annotationsFlag, "Annotations of objects to expose as labels of the kind's *_annotations family, "+
		"written as for --metric-labels-allowlist.").PlaceHolder("KIND=[KEY,...],...").StringsVar(&f.annotations)
	s.flag("metric.skip-zero-statesets", "Leave out the rows with the value 0 of phases and QoS classes, which common dashboards do not "+
		"need: for a pod, one row of its phase instead of five.").BoolVar(&f.skipZero)
	s.value("metric.hold-deleted", "Keep the last state of a deleted object on the page for this long, however often it is scraped, "+
		"so that an object that lives between two scrapes is not lost. 0: remove it at once.", duration(&f.holdDeleted)).Default("0s")
}

func (f *flags) declareCustom(s *section) {
	s.flag(customFlag, "What to expose of custom resources: the YAML of kube-state-metrics, "+
		"CustomResourceStateMetrics.").PlaceHolder("YAML").StringVar(&f.custom)
	s.flag(customFileFlag, "File with the same, instead. It is read again when it changes and on SIGHUP.").
		PlaceHolder("FILE").StringVar(&f.customFile)
	s.flag("custom-resource-state-only", "Expose custom resources only; --resources has no effect.").BoolVar(&f.customOnly)
	s.value("custom-resource.grace-period", "Time for which a kind of custom resource that can't be listed keeps the replica from becoming ready "+
		"and the fleet from changing shards. It is on the page once it is listed. 0: as long as it takes.", duration(&f.customGrace)).Default("1m")
	s.flag("custom-resource.copied-labels-win", "Let labels that labelsFromPath copies by a star take the place of commonLabels, as "+
		"kube-state-metrics does. A tenant that may write an object can then change these labels.").BoolVar(&f.copiedLabelsWin)
	s.flag(customStrictFlag, "Refuse a custom resource configuration with faults that kube-state-metrics tolerates, such as "+
		"unknown keys, instead of logging them as warnings.").BoolVar(&f.customStrict)
}

func (f *flags) declareMemory(s *section) {
	s.value("store.raw-bytes", "Bound on exposition text held uncompressed because it changed lately.", size(&f.rawBytes)).
		Default("32MiB")
	s.flag("auto-gomemlimit", "Set the Go runtime's memory limit by that of the container; GOMEMLIMIT in the environment wins.").
		Default("true").BoolVar(&f.autoMemLimit)
	s.value("auto-gomemlimit-ratio", "Share of the container's limit to set, above 0 and up to 1.",
		positive(&f.autoMemLimitFraction, 1)).Default("0.9")
	s.fix("auto-gomemlimit", "auto-gomemlimit-ratio")
}

func (f *flags) declareLog(s *section) {
	f.log.Level, f.log.Format = promslog.NewLevel(), promslog.NewFormat()
	s.value(logflag.LevelFlagName, "Least severity to log: "+strings.Join(promslog.LevelFlagOptions, ", ")+".", f.log.Level).
		Default("info").HintOptions(promslog.LevelFlagOptions...)
	s.value(logflag.FormatFlagName, "Form of the log: "+strings.Join(promslog.FormatFlagOptions, " or ")+".", f.log.Format).
		Default("logfmt").HintOptions(promslog.FormatFlagOptions...)
	s.fix(logflag.FormatFlagName)
}
