package audit

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReportAllowsFaultsUpToTheAllowance(t *testing.T) {
	kill := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	allow := Allowance{Doubled: 250 * ms, Unseen: time.Second}
	fault := func(k faultKind, from, to time.Duration) Fault {
		return Fault{kind: k, What: k.String(), Replica: "a", From: kill.Add(from), To: kill.Add(to)}
	}
	f := func(fault Fault, kills []time.Time, missing, doubled, ghosts int) {
		t.Helper()
		r := newReport([]Fault{fault}, allow, kills)
		if len(r.Missing) != missing || len(r.Doubled) != doubled || len(r.Ghosts) != ghosts {
			t.Errorf("%v: got %d missing, %d doubled, %d ghosts; want %d, %d, %d", fault,
				len(r.Missing), len(r.Doubled), len(r.Ghosts), missing, doubled, ghosts)
		}
	}
	kills := []time.Time{kill.Add(-time.Hour), kill}
	f(fault(doubled, 0, 250*ms), nil, 0, 0, 0)
	f(fault(doubled, 0, 251*ms), nil, 0, 1, 0)
	f(fault(missing, 10*ms, 20*ms), nil, 1, 0, 0)
	f(fault(missing, 10*ms, 1000*ms), kills, 0, 0, 0)
	f(fault(missing, 10*ms, 1001*ms), kills, 1, 0, 0) // too long
	f(fault(missing, -10*ms, 500*ms), kills, 1, 0, 0) // from before the kill
	f(fault(missing, 2*time.Second, 2100*ms), kills, 1, 0, 0)
	f(fault(ghost, 0, 20*ms), kills, 0, 0, 1)
}

func TestObjectsOfAReplicaThatCannotRunMayBeMissing(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	missed := func(uid string, from time.Duration) Fault {
		return Fault{kind: missing, uid: uid, From: at.Add(from), To: at.Add(time.Hour)}
	}
	r := newReport([]Fault{missed("its own", 0), missed("of another", 0), missed("its own later", 0), missed("its own later", time.Minute)}, Allowance{
		Absent: func(uid string, from time.Time) bool {
			return uid == "its own" || uid == "its own later" && from.After(at)
		},
	}, nil)
	if len(r.Missing) != 2 || r.Missing[0].uid != "of another" || !r.Missing[1].From.Equal(at) {
		t.Errorf("got faults %v, want the one of another replica and the one before it stopped", r.Missing)
	}
}

func TestLineHasDisallowedFaultsAndLongestTimes(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := newReport([]Fault{
		{kind: doubled, Replica: "a", From: at, To: at.Add(40 * ms)},
		{kind: missing, Replica: "a", From: at, To: at.Add(300 * ms)},
		{kind: missing, Replica: "b", From: at, To: at.Add(200 * ms)},
	}, Allowance{Doubled: 250 * ms}, nil)
	r.Samples, r.Moved, r.Coverage = 7, 3, 0.995
	const want = "scenario=rollout missing=2 doubled=0 worst_missing_ms=300 worst_double_ms=40 samples=7 moved=3 coverage=0.99"
	if got := r.Line("rollout"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if details := r.Details(); !strings.Contains(details, "gap of a: 300ms") || !strings.Contains(details, "gap of b: 200ms") {
		t.Errorf("got details %s, want the gaps of a and b", details)
	}
}

func TestObjectsOfAnExposition(t *testing.T) {
	const text = `# HELP kube_job_info Always 1.
# TYPE kube_job_info gauge
kube_job_info{namespace="batch",job_name="a"} 1
# HELP kube_job_created When.
kube_job_created{namespace="batch",job_name="not-in-the-info-family"} 1
# HELP kube_pod_info Always 1.
kube_pod_info{namespace="shop",pod="b",uid="u1",node=""} 1
kube_pod_info{namespace="shop",pod="c",uid="u2",node=""} 1
# HELP kube_pod_later Later lines are not read.
kube_pod_info{namespace="shop",pod="d",uid="u3",node=""} 1
`
	var got []string
	if err := objects(strings.NewReader(text), []string{Jobs, Pods}, func(key string) { got = append(got, key) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"job batch a", "pod u1", "pod u2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
