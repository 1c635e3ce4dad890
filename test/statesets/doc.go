// Package statesets shows that rules and dashboards do not need the samples with the value 0 that
// --metric.skip-zero-statesets leaves out: its tests evaluate them with Prometheus' own code over the
// exposition of a cluster whose objects fall ill and recover, once with these samples and once
// without.
package statesets
