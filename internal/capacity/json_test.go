package capacity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func estimateJSON(t *testing.T, l Load, limits Limits) (d document, text []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := newReport(costs(t), l, limits).writeJSON(&b); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	return d, b.Bytes()
}

// fields adds the paths of all values of a document to a set.
func fields(path string, value any, into map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, value := range v {
			fields(strings.TrimPrefix(path+"."+name, "."), value, into)
		}
	case []any:
		for _, element := range v {
			fields(path+"[]", element, into)
		}
	default:
		into[path] = true
	}
}

// TestJSONFieldsAreDocumented: programs depend on the names in docs/capacity.md.
func TestJSONFieldsAreDocumented(t *testing.T) {
	l := load(t, 1000)
	l.Kinds = append(l.Kinds, Kind{Name: "a", Problem: "Forbidden"})
	_, text := estimateJSON(t, l, Limits{Memory: 512 << 20})
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	fields("", document, got)
	docs, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(docs), "\n### JSON\n")
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^|]+)` \\|").FindAllStringSubmatch(section, -1) {
		for _, name := range strings.Split(row[1], "`, `") {
			documented[name] = true
		}
	}
	if !maps.Equal(got, documented) {
		t.Errorf("the output has the fields\n%s\nwant those in %s:\n%s", sorted(got), docsFile, sorted(documented))
	}
}

func sorted(names map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(names)), "\n")
}

// TestJSONHasTheNumbersOfTheText: both formats show the same estimate.
func TestJSONHasTheNumbersOfTheText(t *testing.T) {
	l, limits := load(t, 200_000), Limits{Memory: 512 << 20}
	d, first := estimateJSON(t, l, limits)
	text := estimateText(t, l, limits)
	if d.Recommended == nil || d.Recommended.Replicas < 2 ||
		!strings.Contains(text, fmt.Sprintf("--set replicas=%d\n", d.Recommended.Replicas)) {
		t.Errorf("JSON recommends %+v, the text differs:\n%s", d.Recommended, text)
	}
	for _, f := range d.Fleets {
		one := f.EachReplica
		exceeds := "nothing"
		if f.Exceeds != "" {
			exceeds = "80 % of " + f.Exceeds
		}
		size := func(n int64) string { return Bytes(float64(n)) }
		row := fmt.Sprintf(`(?m)^ +%d +%s +%s +%s +%.0f ms +%s +%.0fm +%s`,
			f.Replicas, count(float64(one.Series)), size(one.ScrapeTextBytes), size(one.ScrapeGzipBytes),
			1000*one.ScrapeSeconds, size(one.MemoryBytes), 1000*one.CPUCores, exceeds)
		if !regexp.MustCompile(row).MatchString(text) {
			t.Errorf("no row matches %q in\n%s", row, text)
		}
	}
	if !slices.IsSortedFunc(d.Kinds, func(a, b documentKind) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("kinds are not sorted by name")
	}
	if _, again := estimateJSON(t, load(t, 200_000), limits); !bytes.Equal(first, again) {
		t.Error("two runs of one estimate differ")
	}
}

func TestJSONSaysThatNothingFits(t *testing.T) {
	d, _ := estimateJSON(t, load(t, 1000), Limits{Memory: 32 << 20})
	if d.Recommended != nil || len(d.Fleets) == 0 || d.Fleets[0].Exceeds != memoryFlag || d.Fleets[0].MissingRatio != 1 {
		t.Errorf("got %+v, want no recommendation, and %s exceeded", d, memoryFlag)
	}
}
