package config

import (
	"math"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
	logflag "github.com/prometheus/common/promslog/flag"

	"github.com/statefleet/statefleet/manifests/presets"
	"github.com/statefleet/statefleet/resources"
)

const description = `Exposes the state of Kubernetes objects as Prometheus metrics, with the metric names and flags of
kube-state-metrics. Each replica of a fleet exposes its share of the objects; a single replica exposes all.

Separate the elements of a list by commas, or repeat the flag.

Other commands, each with a --help of its own:
  statefleet estimate      estimates the resources a fleet needs and how many replicas to run
  statefleet render        prints the exposition for manifests, without a cluster
  statefleet check-config  checks flags and files, and prints what they select`

// Names of flags that are needed more than once.
const (
	configFlag      = "config"
	customFlag      = "custom-resource-state-config"
	customFileFlag  = "custom-resource-state-config-file"
	customOnlyFlag  = "custom-resource-state-only"
	presetFlag      = "custom-resource-state-preset"
	labelsFlag      = "metric-labels-allowlist"
	annotationsFlag = "metric-annotations-allowlist"
)

// declare declares the flags, in the order in which --help shows them, and returns their sections.
// own declares the flags that only this command has; nil: none.
func (c *Config) declare(app *kingpin.Application, own func(*section)) (sections []*section) {
	add := func(title string, declare func(*section)) {
		s := &section{app: app, Title: title}
		declare(s)
		sections = append(sections, s)
	}
	if own != nil {
		add("This command", own)
	}
	add("Configuration", c.declareConfiguration)
	add("API server", c.declareAPI)
	add("Sharding", c.declareSharding)
	add("Objects", c.declareObjects)
	add("Metrics", c.declareMetrics)
	add("Custom resources", c.declareCustom)
	add("HTTP", c.declareHTTP)
	add("Memory", c.declareMemory)
	add("Log", c.declareLog)
	showSections(app, sections)
	return sections
}

func (c *Config) declareConfiguration(s *section) {
	// readConfig reads the name of the file before the flags are parsed.
	s.flag(configFlag,
		"YAML file with settings: names of flags without the leading dashes, and their values. Flags on "+
			"the command line win. The file is reloaded when it changes and on SIGHUP.").
		PlaceHolder("FILE").String()
}

func (c *Config) declareAPI(s *section) {
	s.flag("kubeconfig",
		"Kubeconfig file for the API server; default: the service account of the pod.").
		PlaceHolder("FILE").StringVar(&c.Kubeconfig)
	s.flag("apiserver",
		"URL of the API server; overrides the one in --kubeconfig.").PlaceHolder("URL").StringVar(&c.APIServer)
	s.value("kube-api-qps", positiveFloat(&c.APIQPS, 1e6),
		"Requests per second to the API server, on average.").Default("100")
	s.value("kube-api-burst", intValue(&c.APIBurst, 1),
		"Requests to the API server in one burst.").Default("200")
	s.flag("use-apiserver-cache",
		"Read the first lists from the API server's cache, which is cheaper for etcd and may be stale.").
		BoolVar(&c.UseAPIServerCache)
	s.value("consistency.check-interval", durationValue(&c.CheckInterval),
		"Time between two comparisons of the held objects of a kind with a list of their metadata. A kind "+
			"that differs is listed again. 0: never.").Default("1h")
	c.immutable = append(c.immutable, "kubeconfig", "apiserver")
}

func (c *Config) declareSharding(s *section) {
	s.value("pod", textValue(&c.Pod, checkPod),
		"Name of this pod of a StatefulSet, from the downward API. Its ordinal is the shard, and the "+
			"number of replicas of the StatefulSet, which may change at any time, is the number of shards. "+
			"Wins over --shard and --total-shards.").PlaceHolder("NAME")
	s.value("pod-namespace", textValue(&c.PodNamespace, checkNamespace),
		"Namespace of this pod, from the downward API. Required with --pod.").PlaceHolder("NS")
	s.value("shard", intValue(&c.raw.shard, math.MinInt32),
		"Shard of this replica, counted from 0, when it does not follow a StatefulSet.").
		Default("0").IsSetByUser(&c.raw.shardSet)
	s.value("total-shards", intValue(&c.raw.totalShards, math.MinInt32),
		"Number of shards, when the replica does not follow a StatefulSet.").Default("1").IsSetByUser(&c.raw.totalSet)
	s.flag("shard.standby",
		"Also hold the shard of the previous replica, and serve it while that replica's pod is not ready. "+
			"Requires --pod, and the same value on all replicas. No metrics are missing then in a planned "+
			"restart, at up to twice the memory.").BoolVar(&c.Standby)
	s.value("drain-timeout", durationValue(&c.DrainTimeout),
		"Longest time to keep serving after SIGTERM, until the fleet has taken over what this replica "+
			"serves. It applies with --pod, when the StatefulSet shrinks or with --shard.standby. The grace "+
			"period of the pod must be longer. 0: stop at once.").Default("90s")
	c.immutable = append(c.immutable, s.names()...)
}

func (c *Config) declareObjects(s *section) {
	s.value("resources", list(&c.raw.resources, splitNames, checkKind),
		"Kinds of objects to expose, by their plural; default: "+strings.Join(names(defaultKinds()), ", ")+
			".").PlaceHolder("KIND,...").HintAction(allKinds)
	s.value("namespaces", list(&c.Namespaces, splitNames, checkNamespace),
		"Namespaces to expose; default: all.").PlaceHolder("NS,...")
	s.value("namespaces-denylist", list(&c.NamespacesDenied, splitNames, checkNamespace),
		"Namespaces to leave out.").PlaceHolder("NS,...")
	s.value("namespaces-selector", selectorValue(&c.NamespaceSelector),
		"Label selector of the namespaces to expose, such as team in (a, b),env!=dev. Changes of their "+
			"labels take effect at once. Excludes --namespaces.").PlaceHolder("SELECTOR")
	s.value("object-selector", objectSelectors(&c.ObjectSelectors),
		"Label selectors of the objects to expose, by kind, such as 'pods=team in (a, b);jobs=!test'. The API "+
			"server leaves out the other objects. Kinds that are not named are not restricted.").
		PlaceHolder("KIND=SELECTOR;...")
	s.value("node", textValue(&c.Node, checkNode),
		"Expose only pods of this node; for a DaemonSet, from the downward API.").PlaceHolder("NAME")
	s.flag("track-unscheduled-pods",
		"Expose only pods without a node; the complement of --node.").BoolVar(&c.TrackUnscheduled)
	s.value("object-limit", intValue(&c.ObjectLimit, 0),
		"Maximum number of objects of each kind that this replica holds, over all pages of lists and all "+
			"namespaces. Objects beyond it are left out and counted. 0: no limit.").Default("0")
	s.value("object-bytes-limit", sizeValue(&c.ObjectBytes, 64<<10, 1<<30),
		"Maximum size of the uncompressed text of a single object. Metric families beyond it are left out "+
			"whole and counted. From 64KiB to 1GiB; there is always a limit.").Default("4MiB")
	s.value("byte-limit", sizeValue(&c.ByteLimit, 0, math.MaxInt64),
		"Maximum size of the uncompressed text of each kind. An object that would exceed it is left out "+
			"and counted. 0: no limit.").Default("0")
	c.textFlags = append(c.textFlags, s.names()...)
}

func (c *Config) declareMetrics(s *section) {
	patterns := func(name string, into *[]string, help string) {
		s.value(name, list(into, splitPatterns, nil), help).PlaceHolder("RE,...")
	}
	patterns("metric-allowlist", &c.selection.Allow,
		"Patterns of the metric families to expose; no others are exposed. Patterns are regular "+
			"expressions that match anywhere in the name unless anchored with ^ and $.")
	patterns("metric-denylist", &c.selection.Deny,
		"Patterns of the metric families to leave out. Excludes --metric-allowlist.")
	patterns("metric-opt-in-list", &c.selection.OptIn, "Patterns of the families to expose that are off by default.")
	s.flag(labelsFlag,
		"Labels of objects to expose as labels of the kind's *_labels family, such as "+
			"pods=[app,app.kubernetes.io/*],nodes=[*]; the kind * means all kinds, including those that are "+
			"named.").PlaceHolder("KIND=[KEY,...],...").StringsVar(&c.raw.labels)
	s.flag(annotationsFlag,
		"Annotations of objects to expose as labels of the kind's *_annotations family, written as for --"+
			labelsFlag+".").PlaceHolder("KIND=[KEY,...],...").StringsVar(&c.raw.annotations)
	s.value("metric-volumeattributesclass-parameters-allowlist", list(&c.selection.ParameterKeys, splitNames, nil),
		"Parameters of VolumeAttributesClasses to expose as labels of kube_volumeattributesclass_parameters. "+
			"A key may hold one asterisk. Default: "+strings.Join(resources.DefaultParameterKeys(), ", ")+
			".").PlaceHolder("KEY,...")
	s.flag("metric.skip-zero-statesets",
		"Leave out the samples with value 0 of phases, QoS classes, container states and conditions, but for "+
			"those that alerts compare with 0, such as that of a node that is not ready; see docs/metrics.md.").BoolVar(&c.selection.SkipZeroStateSets)
	s.value("metric.hold-deleted", durationValue(&c.HoldDeleted),
		"How long to keep exposing the last state of a deleted object, however often it is scraped, so "+
			"that an object that lives between two scrapes is not lost. 0: remove it at once.").Default("0s")
	c.textFlags = append(c.textFlags, s.names()...)
}

func (c *Config) declareCustom(s *section) {
	s.flag(customFlag,
		"Configuration of custom resource metrics: the YAML of kube-state-metrics, "+
			"CustomResourceStateMetrics.").PlaceHolder("YAML").StringVar(&c.raw.custom)
	s.flag(customFileFlag,
		"File with that configuration. It is reloaded when it changes and on SIGHUP.").
		PlaceHolder("FILE").StringVar(&c.raw.customFile)
	s.value(presetFlag, list(&c.raw.presets, splitNames, checkPreset),
		"Configurations that statefleet comes with, in addition to yours: "+strings.Join(presets.Names(), ", ")+".").
		PlaceHolder("NAME,...").HintAction(presets.Names)
	s.flag(customOnlyFlag,
		"Expose custom resources only; --resources has no effect.").BoolVar(&c.raw.customOnly)
	s.value("custom-resource.grace-period", durationValue(&c.CustomGrace),
		"How long a kind of custom resource that cannot be listed keeps the replica from becoming ready "+
			"and the fleet from changing shards. It is exposed as soon as it is listed. 0: no limit.").Default("1m")
	s.flag("custom-resource.copied-labels-win",
		"Let labels that labelsFromPath copies with an asterisk override commonLabels, as "+
			"kube-state-metrics does. A tenant that may write an object can then change these labels.").
		BoolVar(&c.selection.CopiedLabelsWin)
	s.flag("custom-resource-state-strict",
		"Refuse a custom resource configuration with faults that kube-state-metrics tolerates, such as "+
			"unknown keys, instead of logging them as warnings, and one with extensions that it does not have.").
		BoolVar(&c.raw.customStrict)
	c.textFlags = append(c.textFlags, s.names()...)
}

func (c *Config) declareHTTP(s *section) {
	s.flag("host",
		"Address to expose the metrics on; default: all addresses.").Default("::").StringVar(&c.raw.host)
	s.value("port", intValue(&c.raw.port, 0), "Port to expose the metrics on.").Default("8080")
	s.flag("telemetry-host",
		"Address to expose metrics about statefleet itself on; default: all addresses.").
		Default("::").StringVar(&c.raw.telemetryHost)
	s.value("telemetry-port", intValue(&c.raw.telemetryPort, 0),
		"Port to expose metrics about statefleet itself on.").Default("8081")
	s.value("web.listen-address", list(&c.raw.listenAddresses, splitNames, checkAddress),
		"Addresses to expose the metrics on, instead of --host and --port.").PlaceHolder("HOST:PORT")
	s.flag("web.systemd-socket",
		"Expose the metrics on the sockets that systemd passes (Linux), instead of addresses and ports.").
		BoolVar(&c.SystemdSocket)
	s.flag("web.config.file",
		"File with TLS and basic authentication for all ports, in the format of Prometheus' "+
			"exporter-toolkit.").PlaceHolder("FILE").StringVar(&c.WebConfigFile)
	s.flag("tls-config",
		"The name that kube-state-metrics has for --web.config.file.").PlaceHolder("FILE").StringVar(&c.raw.tlsConfig)
	c.declareAuth(s)
	c.declareClientLimits(s)
	s.flag("telemetry.pprof",
		"Expose profiles of the Go runtime on the telemetry port, below /debug/pprof/.").BoolVar(&c.Profiling)
	s.flag("enable-gzip-encoding",
		"Accepted for compatibility: clients that accept gzip always get it.").Default("true").BoolVar(&c.raw.gzip)
	c.declareTimeouts(s)
	c.immutable = append(c.immutable, s.names()...)
}

func (c *Config) declareAuth(s *section) {
	s.flag("auth-filter",
		"Require a bearer token that the API server accepts and that is allowed to get the path, on all "+
			"ports and paths except /healthz, /livez and /readyz. See docs/security.md for the RBAC rules it "+
			"needs.").BoolVar(&c.AuthFilter)
	s.value("auth-filter.audience", list(&c.Audiences, splitNames, nil),
		"Audiences, such as statefleet, of which a token must have at least one; default: the API "+
			"server's own. Requires --auth-filter.").PlaceHolder("AUDIENCE,...")
	s.value("auth-filter.path-prefix", textValue(&c.PathPrefix, checkPathPrefix),
		"Prefix of the non-resource URLs that a caller must be allowed to get. With /statefleet, the "+
			"right to get /statefleet/metrics is the right to scrape. Default: no prefix. Requires "+
			"--auth-filter.").PlaceHolder("/PATH")
}

func (c *Config) declareClientLimits(s *section) {
	s.value("web.max-requests", intValue(&c.MaxRequests, 0),
		"Maximum number of requests for metrics that each port answers at once; further ones get 503. One "+
			"client address gets a further request only while it has fewer than are free, so at most half of "+
			"them. 0: no limit.").Default("40")
	s.value("web.max-connections", intValue(&c.Connections.Max, 0),
		"Maximum number of client connections to each port. A further connection replaces an idle one; if "+
			"there is none, it can only send probes. The limit is lower if the process may open few files. 0: "+
			"as many as it may open.").Default("512")
	s.value("web.max-connections-per-client", intValue(&c.Connections.PerClient, 0),
		"Maximum number of connections from one client address, where an IPv6 /64 network is one address; "+
			"at most half of --web.max-connections. 0: no limit.").Default("128")
}

func (c *Config) declareTimeouts(s *section) {
	timeout := func(name string, into *time.Duration, help, zero string) {
		s.value(name, durationValue(into), help+" 0: "+zero+".").Default(into.String())
	}
	const none, asRead = "no limit", "that of --server-read-timeout" // see http.Server
	timeout("server-read-header-timeout", &c.Timeouts.ReadHeader, "Maximum time to read the headers of a request.", asRead)
	timeout("server-read-timeout", &c.Timeouts.Read, "Maximum time to read a request.", none)
	timeout("server-write-timeout", &c.Timeouts.Write, "Maximum time to write a response.", none)
	timeout("server-idle-timeout", &c.Timeouts.Idle, "Maximum time to wait for the next request on a connection.", asRead)
}

func (c *Config) declareMemory(s *section) {
	s.value("store.raw-bytes", sizeValue(&c.RawBytes, 0, math.MaxInt64),
		"Maximum size of recently changed text that is held uncompressed.").Default("32MiB")
	s.flag("store.snapshot-dir",
		"Directory, which no other process uses, to save the state in: every two minutes and on exit. The next "+
			"process with the same configuration and shard continues from it instead of listing everything. "+
			"Kinds are listed with --object-limit or --byte-limit. Default: nothing is saved.").
		PlaceHolder("DIR").StringVar(&c.SnapshotDir)
	s.flag("auto-gomemlimit",
		"Set the memory limit of the Go runtime from that of the container; GOMEMLIMIT in the environment "+
			"wins.").Default("true").BoolVar(&c.AutoMemLimit)
	s.value("auto-gomemlimit-ratio", positiveFloat(&c.AutoMemLimitRatio, 1),
		"Share of the container's limit to set, above 0 and up to 1.").Default("0.9")
	c.immutable = append(c.immutable, "store.snapshot-dir", "auto-gomemlimit", "auto-gomemlimit-ratio")
}

func (c *Config) declareLog(s *section) {
	c.Log.Level, c.Log.Format = promslog.NewLevel(), promslog.NewFormat()
	s.value(logflag.LevelFlagName, choice(c.Log.Level, promslog.LevelFlagOptions),
		"Lowest severity to log: "+strings.Join(promslog.LevelFlagOptions, ", ")+".").
		Default("info").HintOptions(promslog.LevelFlagOptions...)
	s.value(logflag.FormatFlagName, choice(c.Log.Format, promslog.FormatFlagOptions),
		"Format of the log: "+strings.Join(promslog.FormatFlagOptions, " or ")+".").
		Default("logfmt").HintOptions(promslog.FormatFlagOptions...)
	c.immutable = append(c.immutable, logflag.FormatFlagName)
}
