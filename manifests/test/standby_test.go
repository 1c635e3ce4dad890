package test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStandbyInTheChartIsTheComponent checks that standby.enabled has the effect of the component, including memory and
// readiness probe.
func TestStandbyInTheChartIsTheComponent(t *testing.T) {
	got, want := pod(t, rendered(t, `{standby: {enabled: true}}`)).Containers[0], pod(t, build(t, "overlays/standby")).Containers[0]
	equal(t, "resources", got.Resources, want.Resources)
	equal(t, "readiness", got.ReadinessProbe, want.ReadinessProbe)
	if base := pod(t, rendered(t, `{}`)).Containers[0]; cmp.Equal(base.Resources, got.Resources) || cmp.Equal(base.ReadinessProbe, got.ReadinessProbe) {
		t.Error("standby must change both resources and readiness probe")
	}
}

// TestStandbyKeepsWhatIsSet checks that standby does not override requests, limits and probes of the user, such as
// those that "statefleet estimate" recommends.
func TestStandbyKeepsWhatIsSet(t *testing.T) {
	for given, want := range map[string][3]string{ // request, limit, period
		`{standby: {enabled: true}, resources: {requests: {memory: 300Mi}}}`:           {"300Mi", "512Mi", "2"},
		`{standby: {enabled: true}, resources: {limits: {memory: null}}}`:              {"128Mi", "0", "2"},
		`{standby: {enabled: true}, resources: null}`:                                  {"0", "0", "2"},
		`{standby: {enabled: true}, readinessProbe: {periodSeconds: 7}}`:               {"256Mi", "1Gi", "7"},
		`{standby: {enabled: true}, readinessProbe: {failureThreshold: 2}}`:            {"256Mi", "1Gi", "5"},
		`{standby: {enabled: true}, replicas: 2, autoscaling: {enabled: false}}`:       {"256Mi", "1Gi", "2"},
		`{standby: {enabled: true}, replicas: 1, autoscaling: {enabled: true}}`:        {"256Mi", "1Gi", "2"},
		`{resources: {requests: {memory: 256Mi}}, readinessProbe: {periodSeconds: 2}}`: {"256Mi", "512Mi", "2"},
	} {
		c := pod(t, rendered(t, given)).Containers[0]
		got := [3]string{c.Resources.Requests.Memory().String(), c.Resources.Limits.Memory().String(), string('0' + rune(c.ReadinessProbe.PeriodSeconds))}
		if got != want {
			t.Errorf("%s: got request, limit and period %q, want %q", given, got, want)
		}
	}
}
