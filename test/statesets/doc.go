// Package statesets shows that rules and dashboards do not need the samples with the value 0 that
// --metric.skip-zero-statesets leaves out. Its tests evaluate them with Prometheus' own code over the expositions of a
// cluster whose objects become unhealthy and recover, once with these samples and once without.
package statesets
