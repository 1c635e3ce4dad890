package measure

import "testing"

func TestMeasuresAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Measures() {
		if seen[m.Name] {
			t.Errorf("got the measure %q twice, want unique names", m.Name)
		}
		seen[m.Name] = true
	}
}
