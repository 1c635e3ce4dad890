package resources

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func TestHeaders(t *testing.T) {
	f := func(fam Family, text, openMetrics string) {
		t.Helper()
		fam.Help = "Help."
		if got := strings.ReplaceAll(string(fam.TextHeader()), "\n", "|"); got != text {
			t.Errorf("text header: got %s, want %s", got, text)
		}
		if got := strings.ReplaceAll(string(fam.OpenMetricsHeader()), "\n", "|"); got != openMetrics {
			t.Errorf("OpenMetrics header: got %s, want %s", got, openMetrics)
		}
	}
	f(Family{Name: "a_b"}, "# HELP a_b Help.|# TYPE a_b gauge|", "# HELP a_b Help.|# TYPE a_b gauge|")
	f(Family{Name: "a_total", Type: Counter}, "# HELP a_total Help.|# TYPE a_total counter|", "# HELP a Help.|# TYPE a counter|")
	f(Family{Name: "a_info", Type: Info}, "# HELP a_info Help.|# TYPE a_info gauge|", "# HELP a Help.|# TYPE a info|")
	f(Family{Name: "a_info"}, "# HELP a_info Help.|# TYPE a_info gauge|", "# HELP a_info Help.|# TYPE a_info gauge|")
	f(Family{Name: "a", Stability: Alpha}, "# HELP a [ALPHA] Help.|# TYPE a gauge|", "# HELP a [ALPHA] Help.|# TYPE a gauge|")
	f(Family{Name: "a", Stability: Stable}, "# HELP a [STABLE] Help.|# TYPE a gauge|", "# HELP a [STABLE] Help.|# TYPE a gauge|")
	f(Family{Name: "a", Type: StateSet}, "# HELP a Help.|# TYPE a gauge|", "# HELP a Help.|# TYPE a stateset|")
}

// Users choose the help of custom resources' families.
func TestHelpIsEscaped(t *testing.T) {
	fam := Family{Name: "a", Help: "say \"x\"\n\\"}
	const text, openMetrics = `# HELP a say "x"\n\\`, `# HELP a say \"x\"\n\\`
	if got, _, _ := strings.Cut(string(fam.TextHeader()), "\n"); got != text {
		t.Errorf("got %s, want %s", got, text)
	}
	if got, _, _ := strings.Cut(string(fam.OpenMetricsHeader()), "\n"); got != openMetrics {
		t.Errorf("got %s, want %s", got, openMetrics)
	}
}

// Each help text is one line of plain sentences.
func TestHelpTexts(t *testing.T) {
	plain := regexp.MustCompile(`^[A-Z][^"\\\n]*\.$`)
	for _, k := range All() {
		for _, f := range k.Families() {
			if !plain.MatchString(f.Help) {
				t.Errorf("%s: help %q must match %s", f.Name, f.Help, plain)
			}
		}
	}
}

// OpenMetrics removes the suffix from the names of counters and infos. No two families may have the same name then.
func TestOpenMetricsNamesAreDistinct(t *testing.T) {
	seen := map[string]string{}
	for _, k := range All() {
		for _, f := range k.Families() {
			name := strings.Fields(string(f.OpenMetricsHeader()))[2]
			if other, ok := seen[name]; ok {
				t.Errorf("%s and %s share the name %s", f.Name, other, name)
			}
			seen[name] = f.Name
		}
	}
}

// Tools read the stability level from the beginning of the help.
func TestHelpOfBuiltInFamiliesBeginsWithTheirLevel(t *testing.T) {
	for _, k := range All() {
		for _, f := range k.Families() {
			want := "# HELP " + f.Name + " [" + f.Stability.String() + "] " + f.Help + "\n"
			if f.Stability == NoStability || !strings.HasPrefix(string(f.TextHeader()), want) {
				t.Errorf("got header %s, want the prefix %s", f.TextHeader(), want)
			}
		}
	}
}

// TestPromlint applies the rules of the linter to all families. compatible lists the names that break a rule because
// dashboards or agreements with others require them.
func TestPromlint(t *testing.T) {
	compatible := map[string]string{
		"kube_resourceclaim_request_count": `non-histogram and non-summary metrics should not have "_count" suffix`,
	}
	var exposition bytes.Buffer
	for _, k := range All() {
		for _, f := range k.Families() {
			exposition.Write(f.TextHeader())
			exposition.WriteString(f.Name + "{} 1\n")
		}
	}
	problems, err := promlint.New(&exposition).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if compatible[p.Metric] != p.Text {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
		delete(compatible, p.Metric)
	}
	for name := range compatible {
		t.Errorf("%s is listed in compatible, but breaks no rule", name)
	}
}
