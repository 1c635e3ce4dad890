package config

import (
	"math"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
	logflag "github.com/prometheus/common/promslog/flag"
)

const description = `Exposes the state of Kubernetes objects as Prometheus metrics, with the metric names and flags of
kube-state-metrics. Each replica of a fleet exposes its share of the objects; a single replica exposes all.

Separate the elements of a list by commas, or repeat the flag.

"statefleet estimate" estimates the resources a fleet needs and how many replicas to run; see statefleet estimate --help.`

// Names of flags that are needed more than once.
const (
	configFlag      = "config"
	customFlag      = "custom-resource-state-config"
	customFileFlag  = "custom-resource-state-config-file"
	customOnlyFlag  = "custom-resource-state-only"
	labelsFlag      = "metric-labels-allowlist"
	annotationsFlag = "metric-annotations-allowlist"
)

// declare declares the flags, in the order in which --help shows them, and returns their sections. own declares those that
// only this command has; nil: none.
func (c *Config) declare(app *kingpin.Application, own func(*section)) (sections []*section) {
	for _, s := range []struct {
		title   string
		declare func(*section)
	}{
		{"Estimate", own},
		{"Configuration", c.declareConfiguration},
		{"API server", c.declareAPI},
		{"Sharding", c.declareSharding},
		{"Objects", c.declareObjects},
		{"Metrics", c.declareMetrics},
		{"Custom resources", c.declareCustom},
		{"HTTP", c.declareHTTP},
		{"Memory", c.declareMemory},
		{"Log", c.declareLog},
	} {
		if s.declare != nil {
			declared := &section{app: app, title: s.title}
			s.declare(declared)
			sections = append(sections, declared)
			c.immutable = append(c.immutable, declared.immutable...)
		}
	}
	showSections(app, sections)
	return sections
}

func (c *Config) declareConfiguration(s *section) {
	s.flag(configFlag, "YAML file with settings: names of flags without the leading dashes, and their values. Flags on the "+
		"command line win. The file is reloaded when it changes and on SIGHUP.").PlaceHolder("FILE").StringVar(&c.raw.config)
}

func (c *Config) declareAPI(s *section) {
	s.flag("kubeconfig", "Kubeconfig file for the API server; default: the service account of the pod.").
		PlaceHolder("FILE").StringVar(&c.Kubeconfig)
	s.flag("apiserver", "URL of the API server; overrides the one in --kubeconfig.").PlaceHolder("URL").StringVar(&c.APIServer)
	s.value("kube-api-qps", "Requests per second to the API server, on average.", positiveFloat(&c.APIQPS, 1e6)).Default("100")
	s.value("kube-api-burst", "Requests to the API server in one burst.", intValue(&c.APIBurst, 1)).Default("200")
	s.flag("use-apiserver-cache", "Read the first lists from the API server's cache, which is cheaper for etcd and may be stale.").
		BoolVar(&c.UseAPIServerCache)
	s.value("consistency.check-interval", "Time between two comparisons of the held objects of a kind with a list of their metadata. A kind "+
		"that differs is listed again. 0: never.", durationValue(&c.CheckInterval)).Default("1h")
	s.markImmutable("kubeconfig", "apiserver")
}

func (c *Config) declareSharding(s *section) {
	s.value("pod", "Name of this pod of a StatefulSet, from the downward API. Its ordinal is the shard, and the number of replicas of the "+
		"StatefulSet, which may change at any time, is the number of shards. Wins over --shard and --total-shards.",
		textValue(&c.Pod, checkPod)).PlaceHolder("NAME")
	s.value("pod-namespace", "Namespace of this pod, from the downward API. Required with --pod.",
		textValue(&c.PodNamespace, checkNamespace)).PlaceHolder("NS")
	s.value("shard", "Shard of this replica, counted from 0, when it does not follow a StatefulSet.",
		intValue(&c.raw.shard, math.MinInt32)).Default("0").IsSetByUser(&c.raw.shardSet)
	s.value("total-shards", "Number of shards, when the replica does not follow a StatefulSet.",
		intValue(&c.raw.totalShards, math.MinInt32)).Default("1").IsSetByUser(&c.raw.totalSet)
	s.flag("shard.standby", "Also hold the shard of the previous replica, and serve it while that replica's pod is not ready. Requires --pod, "+
		"and the same value on all replicas. No metrics are missing then while one replica is away, at up to twice the memory.").
		BoolVar(&c.Standby)
	s.value("drain-timeout", "Longest time to keep serving after SIGTERM, until the fleet has taken over what this replica serves. It applies with "+
		"--pod, when the StatefulSet shrinks or with --shard.standby. The grace period of the pod must be longer. 0: stop at once.",
		durationValue(&c.DrainTimeout)).Default("90s")
	s.markImmutable(s.names...)
}

func (c *Config) declareObjects(s *section) {
	s.value("resources", "Kinds of objects to expose, by their plural; default: "+strings.Join(names(defaultKinds()), ", ")+".",
		list{&c.raw.resources, splitNames, checkKind}).PlaceHolder("KIND,...").HintAction(allKinds)
	s.value("namespaces", "Namespaces to expose; default: all.", list{&c.Namespaces, splitNames, checkNamespace}).PlaceHolder("NS,...")
	s.value("namespaces-denylist", "Namespaces to leave out.", list{&c.NamespacesDenied, splitNames, checkNamespace}).PlaceHolder("NS,...")
	s.value("namespaces-selector", "Label selector of the namespaces to expose, such as team in (a, b),env!=dev. Changes of their labels "+
		"take effect at once. Excludes --namespaces.", selectorValue(&c.NamespaceSelector)).PlaceHolder("SELECTOR")
	s.value("node", "Expose only pods of this node; for a DaemonSet, from the downward API.", textValue(&c.Node, checkNode)).PlaceHolder("NAME")
	s.flag("track-unscheduled-pods", "Expose only pods without a node; the complement of --node.").BoolVar(&c.TrackUnscheduled)
	s.value("object-limit", "Maximum number of objects of each kind. Objects beyond it are left out and counted. 0: no limit.",
		intValue(&c.ObjectLimit, 0)).Default("0")
	s.value("object-bytes-limit", "Maximum size of the uncompressed text of a single object. Metric families beyond it are left out whole and "+
		"counted. From 64KiB to 1GiB; there is always a limit.", sizeValue(&c.ObjectBytes, 64<<10, 1<<30)).Default("4MiB")
	s.value("byte-limit", "Maximum size of the uncompressed text of each kind. An object that would exceed it is left out and counted. 0: no limit.",
		sizeValue(&c.ByteLimit, 0, math.MaxInt64)).Default("0")
}

func (c *Config) declareMetrics(s *section) {
	patterns := func(name, help string, into *[]string) {
		s.value(name, help, list{into, splitPatterns, nil}).PlaceHolder("RE,...")
	}
	patterns("metric-allowlist", "Patterns of the metric families to expose; no others are exposed. Patterns are regular expressions that "+
		"match anywhere in the name unless anchored with ^ and $.", &c.raw.allow)
	patterns("metric-denylist", "Patterns of the metric families to leave out. Excludes --metric-allowlist.", &c.raw.deny)
	patterns("metric-opt-in-list", "Patterns of the families to expose that are off by default.", &c.raw.optIn)
	s.flag(labelsFlag, "Labels of objects to expose as labels of the kind's *_labels family, such as "+
		"pods=[app,app.kubernetes.io/*],nodes=[*]; the kind * means all kinds, including those that are named.").
		PlaceHolder("KIND=[KEY,...],...").StringsVar(&c.raw.labels)
	s.flag(annotationsFlag, "Annotations of objects to expose as labels of the kind's *_annotations family, "+
		"written as for --"+labelsFlag+".").PlaceHolder("KIND=[KEY,...],...").StringsVar(&c.raw.annotations)
	s.flag("metric.skip-zero-statesets", "Leave out the samples with value 0 of phases and QoS classes, which common dashboards do not "+
		"need: a pod then has one sample of its phase instead of five.").BoolVar(&c.raw.skipZero)
	s.value("metric.hold-deleted", "How long to keep exposing the last state of a deleted object, however often it is scraped, "+
		"so that an object that lives between two scrapes is not lost. 0: remove it at once.", durationValue(&c.HoldDeleted)).Default("0s")
}

func (c *Config) declareCustom(s *section) {
	s.flag(customFlag, "Configuration of custom resource metrics: the YAML of kube-state-metrics, CustomResourceStateMetrics.").
		PlaceHolder("YAML").StringVar(&c.raw.custom)
	s.flag(customFileFlag, "File with that configuration. It is reloaded when it changes and on SIGHUP.").
		PlaceHolder("FILE").StringVar(&c.raw.customFile)
	s.flag(customOnlyFlag, "Expose custom resources only; --resources has no effect.").BoolVar(&c.raw.customOnly)
	s.value("custom-resource.grace-period", "How long a kind of custom resource that cannot be listed keeps the replica from becoming ready "+
		"and the fleet from changing shards. It is exposed as soon as it is listed. 0: no limit.", durationValue(&c.CustomGrace)).Default("1m")
	s.flag("custom-resource.copied-labels-win", "Let labels that labelsFromPath copies with an asterisk override commonLabels, as "+
		"kube-state-metrics does. A tenant that may write an object can then change these labels.").BoolVar(&c.raw.copiedLabelsWin)
	s.flag("custom-resource-state-strict", "Refuse a custom resource configuration with faults that kube-state-metrics tolerates, such as "+
		"unknown keys, instead of logging them as warnings.").BoolVar(&c.raw.customStrict)
}

func (c *Config) declareMemory(s *section) {
	s.value("store.raw-bytes", "Maximum size of recently changed text that is held uncompressed.",
		sizeValue(&c.RawBytes, 0, math.MaxInt64)).Default("32MiB")
	s.flag("auto-gomemlimit", "Set the memory limit of the Go runtime from that of the container; GOMEMLIMIT in the environment wins.").
		Default("true").BoolVar(&c.AutoMemLimit)
	s.value("auto-gomemlimit-ratio", "Share of the container's limit to set, above 0 and up to 1.",
		positiveFloat(&c.AutoMemLimitRatio, 1)).Default("0.9")
	s.markImmutable("auto-gomemlimit", "auto-gomemlimit-ratio")
}

func (c *Config) declareLog(s *section) {
	c.Log.Level, c.Log.Format = promslog.NewLevel(), promslog.NewFormat()
	s.value(logflag.LevelFlagName, "Lowest severity to log: "+strings.Join(promslog.LevelFlagOptions, ", ")+".", c.Log.Level).
		Default("info").HintOptions(promslog.LevelFlagOptions...)
	s.value(logflag.FormatFlagName, "Format of the log: "+strings.Join(promslog.FormatFlagOptions, " or ")+".", c.Log.Format).
		Default("logfmt").HintOptions(promslog.FormatFlagOptions...)
	s.markImmutable(logflag.FormatFlagName)
}
