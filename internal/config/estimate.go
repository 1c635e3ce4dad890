package config

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const estimateDescription = `Estimates the resources a fleet needs and how many replicas fit your limits: series and
bytes of the exposition, memory, CPU and the duration of scrapes.

It reads the cluster that the flags lead to: the number of objects of each kind, and some objects for their
size. With --pods it calculates from numbers alone, unless --kubeconfig or --apiserver lead to a cluster; the
numbers that are given then override those of the cluster. All flags of the exporter are accepted, and those
that choose what is exposed are followed.`

// podsKind is the kind to whose number those of other kinds are in proportion.
const podsKind = "pods"

// Estimate holds the settings of an estimate: those of the fleet, and how to estimate.
type Estimate struct {
	*Config
	Given          map[string]int // numbers of objects, by kind
	Sample         int64
	Events         float64 // per second; 0: in proportion to the pods
	ServerSharding bool

	ScrapeInterval, ScrapeTimeout time.Duration
	MemoryLimit, BodySizeLimit    int64
	JSON                          bool // the output is JSON, not text for people
}

// LoadEstimate reads and checks the command line of an estimate, as [Load] does that of the exporter.
func LoadEstimate(args []string, stdout, stderr io.Writer) (e *Estimate, done bool, err error) {
	e = &Estimate{Config: newConfig(), Given: map[string]int{}}
	cmd := command{Name + " " + EstimateCommand, estimateDescription, e.declareEstimate, e.validateEstimate}
	done, err = e.load(cmd, args, stdout, stderr)
	return e, done, err
}

func (e *Estimate) declareEstimate(s *section) {
	s.value(podsKind, e.count(podsKind),
		"Number of pods, including those of jobs. Without a cluster to read, all other kinds are in "+
			"proportion to it.").PlaceHolder("N")
	s.value("jobs", e.count("jobs"), "Number of jobs.").PlaceHolder("N")
	s.value("nodes", e.count("nodes"), "Number of nodes.").PlaceHolder("N")
	s.value("objects", list(new([]string), splitNames, e.giveOther),
		"Numbers of objects of other kinds, such as configmaps=5000,services=300.").
		PlaceHolder("KIND=N,...").HintAction(allKinds)
	s.value("events-per-second", positiveFloat(&e.Events, 1e6),
		"Changes of all objects together, per second; default: one for every 50 pods.").PlaceHolder("N")
	s.flag("server-sharding",
		"Assume that the API server leaves out objects that a replica does not hold (KEP-5866).").
		BoolVar(&e.ServerSharding)
	s.value("sample", intValue(&e.Sample, 0),
		"Number of objects of each kind, in each of --namespaces, to read and render for their size. 0: "+
			"only count them.").Default("500")
	s.value("scrape-interval", durationValue(&e.ScrapeInterval), "Time between two scrapes.").Default("30s")
	s.value("scrape-timeout", durationValue(&e.ScrapeTimeout),
		"Maximum duration of a scrape; the estimate uses half of it. 0: no limit.").Default("10s")
	s.value("memory-limit", sizeValue(&e.MemoryLimit, 0, math.MaxInt64),
		"Memory limit of a replica; the estimate uses 80 % of it. 0: no limit.").Default("512MiB")
	s.value("body-size-limit", sizeValue(&e.BodySizeLimit, 0, math.MaxInt64),
		"Maximum size of the text of a scrape, such as Prometheus' body_size_limit. 0: no limit.").Default("0")
	outputs := []string{"text", "json"}
	s.value("output", parsed(&e.JSON, textType, func(s string) (bool, error) {
		if !slices.Contains(outputs, s) {
			return false, notOneOf(outputs, s)
		}
		return s == "json", nil
	}), "Format of the estimate: text for people, or json for programs; docs/capacity.md describes its fields.").
		Default("text").HintOptions(outputs...)
}

// count returns the value of a flag that sets the number of objects of a kind.
func (e *Estimate) count(kind string) flagValue {
	return parsed(new(int), "integer", func(s string) (int, error) {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return 0, fmt.Errorf("must be an integer of at least 0, got %q", s)
		}
		return int(n), e.give(kind, int(n))
	})
}

func (e *Estimate) giveOther(element string) error {
	kind, text, _ := strings.Cut(element, "=")
	if err := checkKind(kind); err != nil {
		return err
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("must be KIND=N, got %q", element)
	}
	return e.give(kind, int(n))
}

func (e *Estimate) give(kind string, n int) error {
	if _, twice := e.Given[kind]; twice {
		return fmt.Errorf("the number of %s is given twice", kind)
	}
	e.Given[kind] = n
	return nil
}

// ReadsCluster reports whether there is a cluster to read.
func (e *Estimate) ReadsCluster() bool {
	_, ok := e.Given[podsKind]
	return e.Kubeconfig != "" || e.APIServer != "" || !ok
}

// validateEstimate rejects flags that the estimate cannot follow.
func (e *Estimate) validateEstimate() error {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"node", e.Node != ""}, {"track-unscheduled-pods", e.TrackUnscheduled}, {customOnlyFlag, e.raw.customOnly},
		{"namespaces-denylist", len(e.NamespacesDenied) > 0}, {"namespaces-selector", e.NamespaceSelector != nil},
		{"object-selector", len(e.ObjectSelectors) > 0},
	} {
		if f.set {
			return fmt.Errorf("--%s: an estimate cannot follow it; give numbers with --pods and --objects instead", f.name)
		}
	}
	s := e.selection
	narrowed := len(e.Namespaces)+len(s.Allow)+len(s.Deny)+len(s.OptIn)+len(e.raw.labels)+len(e.raw.annotations)+
		len(s.ParameterKeys) > 0 || s.SkipZeroStateSets
	pods, known := e.Given[podsKind]
	switch jobs := e.Given["jobs"]; {
	case known && jobs > pods:
		return fmt.Errorf("--%s: must be at least the number of jobs, %d, because it includes the pods of jobs and each job "+
			"has one; got %d", podsKind, jobs, pods)
	case e.ScrapeInterval == 0:
		return errors.New("--scrape-interval: must be greater than 0")
	case e.ReadsCluster():
		return nil
	case narrowed:
		return errors.New("--pods alone assumes the families that are on by default, in all namespaces; with " +
			"--namespaces or --metric-… flags an estimate needs a cluster: --kubeconfig or --apiserver")
	}
	return nil
}
