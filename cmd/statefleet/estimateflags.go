package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/promslog"

	"github.com/statefleet/statefleet/internal/capacity"
)

// podsKind is the kind that others are in proportion to.
const podsKind = "pods"

// estimateFlags are the flags that only an estimate has.
type estimateFlags struct {
	pods, jobs, nodes int
	podsSet           bool
	jobsSet, nodesSet bool
	objects           []string
	given             map[string]int // what these say, by kind
	sample            int64
	events            float64

	interval, timeout    time.Duration
	memoryLimit, maxPage int64
	serverSharding       bool
}

func (e *estimateFlags) declare(s *section) {
	s.value(podsKind, "Number of pods, those of jobs included. Without a cluster to read, all else is in proportion.",
		whole(&e.pods, 0)).PlaceHolder("N").IsSetByUser(&e.podsSet)
	s.value("jobs", "Number of jobs.", whole(&e.jobs, 0)).PlaceHolder("N").IsSetByUser(&e.jobsSet)
	s.value("nodes", "Number of nodes.", whole(&e.nodes, 0)).PlaceHolder("N").IsSetByUser(&e.nodesSet)
	s.flag("objects", "Number of objects of other kinds, such as configmaps=5000,services=300.").PlaceHolder("KIND=N,...").
		HintAction(knownResources).StringsVar(&e.objects)
	s.value("events-per-second", "Changes of all objects together, a second; default: one for each 50 pods.", positive(&e.events, 1e6)).PlaceHolder("N")
	s.flag("server-sharding", "The API server leaves out what a replica does not hold (KEP-5866).").BoolVar(&e.serverSharding)
	s.value("sample", "Objects of each kind, in each of --namespaces, to read and render for their size. 0: only count them.", whole(&e.sample, 0)).Default("500")
	s.value("scrape-interval", "Time between two scrapes.", duration(&e.interval)).Default("30s")
	s.value("scrape-timeout", "Time that a scrape may take; half of it is used. 0: any.", duration(&e.timeout)).Default("10s")
	s.value("memory-limit", "Memory limit of a replica; 80 % of it is used. 0: none.", size(&e.memoryLimit)).Default("512MiB")
	s.value("max-page", "Text of a page at most, as Prometheus limits it by body_size_limit. 0: any.", size(&e.maxPage)).Default("0")
}

func (e *estimateFlags) limits() capacity.Limits {
	return capacity.Limits{Memory: e.memoryLimit, Timeout: e.timeout, Text: e.maxPage}
}

// check refuses what cannot be estimated, before anything is read.
func (e *estimator) check() error {
	e.logger = promslog.New(&e.log)
	for _, step := range []func() error{e.chooseKinds, e.chooseMetrics, e.chooseCustom, e.checkNamespaces, e.chooseNamespaces, e.count, e.refuse} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// count collects the numbers that are given.
func (e *estimator) count() error {
	e.given = map[string]int{}
	for _, n := range []struct {
		kind  string
		value int
		set   bool
	}{{podsKind, e.pods, e.podsSet}, {"jobs", e.jobs, e.jobsSet}, {"nodes", e.nodes, e.nodesSet}} {
		if n.set {
			e.given[n.kind] = n.value
		}
	}
	for _, entry := range splitNames(e.objects) {
		kind, text, _ := strings.Cut(entry, "=")
		if err := knownResource("--objects", kind); err != nil {
			return err
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fmt.Errorf("--objects: %q is no KIND=N", entry)
		}
		if _, twice := e.given[kind]; twice {
			return fmt.Errorf("--objects: the number of %s is given twice", kind)
		}
		e.given[kind] = n
	}
	return nil
}

// readsCluster reports whether there is a cluster to read, and not numbers alone.
func (e *estimator) readsCluster() bool {
	return e.kubeconfig != "" || e.apiserver != "" || !e.podsSet
}

// refuse names flags with which something would be missing from the estimate.
func (e *estimator) refuse() error {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"node", e.node != ""},
		{"track-unscheduled-pods", e.trackUnscheduled},
		{"namespaces-denylist", len(e.denied) > 0},
		{"namespaces-selector", e.selector != nil},
		{"custom-resource-state-only", e.customOnly},
	} {
		if f.set {
			return fmt.Errorf("--%s: an estimate cannot tell what it leaves; give numbers with --pods and --objects, without this flag", f.name)
		}
	}
	if e.interval == 0 {
		return errors.New("--scrape-interval: without time between two scrapes there is no telling what they cost")
	}
	if e.readsCluster() {
		return nil
	}
	if len(e.namespaces) > 0 || len(e.allow)+len(e.deny)+len(e.optIn)+len(e.labels)+len(e.annotations) > 0 || e.skipZero {
		return errors.New("--pods alone knows objects with the families that are on by default, in all namespaces: with --namespaces or --metric-… flags " +
			"a cluster has to be read, by --kubeconfig or --apiserver")
	}
	return nil
}
