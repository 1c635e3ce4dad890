package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const list = `# a comment

shard/table.go CONDITIONALS_BOUNDARY/2 equivalent
	if a < b && c < d {
	c and d are never the same

shard/table.go INCREMENT_DECREMENT hangs
	i++
	the loop never ends
`

func TestReviewedMutantsAreFoundByTheirLine(t *testing.T) {
	reviewed, err := parseReviewed(list)
	if err != nil || len(reviewed) != 2 {
		t.Fatalf("got %d entries, error %v; want 2 entries", len(reviewed), err)
	}
	m := mutant{File: "shard/table.go", Type: "CONDITIONALS_BOUNDARY", Text: "if a < b && c < d {", Nth: 2}
	if !reviewed[0].matches(m) {
		t.Error("the first entry does not match its mutant")
	}
	m.Nth = 1
	if reviewed[0].matches(m) {
		t.Error("the entry for the second operator of the line matches the first one")
	}
}

func TestErrorsOfTheListNameTheLine(t *testing.T) {
	for _, broken := range []string{
		"# one\n\nshard/table.go CONDITIONALS_BOUNDARY equivalent\n\tno reason",
		"# one\n\nshard/table.go CONDITIONALS_BOUNDARY perhaps\n\tline\n\treason",
	} {
		if _, err := parseReviewed(broken); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%q: got error %v, want one with the line", broken, err)
		}
	}
}

func TestTableCountsAndMissesTargets(t *testing.T) {
	reviewed, err := parseReviewed(list)
	if err != nil {
		t.Fatal(err)
	}
	mutants := []mutant{
		{File: "shard/table.go", Type: "CONDITIONALS_BOUNDARY", Text: "if a < b && c < d {", Nth: 1, Status: killed},
		{File: "shard/table.go", Type: "CONDITIONALS_BOUNDARY", Text: "if a < b && c < d {", Nth: 2, Status: lived},
		{File: "shard/table.go", Type: "INCREMENT_DECREMENT", Text: "i++", Nth: 1, Status: timedOut},
		{File: "shard/table.go", Type: "ARITHMETIC_BASE", Text: "a + b", Nth: 1, Status: timedOut},
		{File: "shard/table.go", Type: "ARITHMETIC_BASE", Text: "a * b", Nth: 1, Status: lived},
		{File: "shard/table.go", Type: "ARITHMETIC_BASE", Text: "a / b", Nth: 1, Status: notCovered},
		{File: "shard/table.go", Type: "ARITHMETIC_BASE", Text: `"a" + b`, Nth: 1, Status: notViable},
	}
	var out bytes.Buffer
	err = report(&out, []result{summarize("shard", mutants, reviewed)})
	want := "| shard   | 2      | 1     | 1 (20.0 %)  | 1         | 1          | 1          | 66.7 %   |"
	if !strings.Contains(out.String(), want) {
		t.Errorf("the table lacks %s:\n%s", want, &out)
	}
	if err == nil || !strings.Contains(err.Error(), "66.7 %") || !strings.Contains(err.Error(), "20.0 %") {
		t.Errorf("got error %v, want both targets in it", err)
	}
	if strings.Contains(out.String(), "matches no mutant") {
		t.Errorf("the report calls matching entries stale:\n%s", &out)
	}
}

func TestStaleEntriesAreReported(t *testing.T) {
	reviewed, err := parseReviewed(list)
	if err != nil {
		t.Fatal(err)
	}
	mutants := []mutant{
		{File: "shard/table.go", Type: "ARITHMETIC_BASE", Text: "a + b", Nth: 1, Status: killed},
		{File: "shard/table.go", Type: "CONDITIONALS_BOUNDARY", Text: "if a < b && c < d {", Nth: 2, Status: killed},
	}
	var out bytes.Buffer
	if err := report(&out, []result{summarize("shard", mutants, reviewed)}); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"line 7 of the list matches no mutant", "listed as equivalent, but a test fails"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &out)
		}
	}
}

func TestConditionsOfASwitchThatRunsAreCovered(t *testing.T) {
	const source = `package p

const size = 1 << 4

func f(a int) int {
	switch {
	case a > 1:
		return 1
	case a > 2 ||
		a < -5:
		return 2
	}
	return 0
}

func g(a int) bool {
	switch {
	case a > 3:
		return true
	}
	return false
}
`
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.com/m\n\ngo 1.26\n")
	write("p.go", source)
	write("cover", "mode: set\nexample.com/m/p.go:5.19,6.9 1 1\nexample.com/m/p.go:7.13,8.11 1 0\nexample.com/m/p.go:16.20,17.9 1 0\n")
	if err := completeProfile("cover"); err != nil {
		t.Fatal(err)
	}
	profile, err := os.ReadFile("cover")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(profile)), "\n")[4:]
	want := []string{"example.com/m/p.go:3.1,3.20 1 1", "example.com/m/p.go:7.2,7.12 1 1", "example.com/m/p.go:9.2,10.9 1 1"}
	if !slices.Equal(got, want) {
		t.Errorf("got added blocks\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTestsOfAMutantEndAtTheFirstFailure(t *testing.T) {
	dir := t.TempDir()
	after := filepath.Join(dir, "after")
	tests := fmt.Sprintf(`package m

import (
	"os"
	"testing"
	"time"
)

func TestThatWaits(t *testing.T) {
	t.Parallel()
	time.Sleep(20 * time.Second)
	_ = os.WriteFile(%q, nil, 0o600)
}

func TestThatFails(t *testing.T) { t.Run("sub", func(t *testing.T) { t.Error("failed") }) }
`, after)
	for name, text := range map[string]string{"go.mod": "module m\n", "m_test.go": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if status := goCommand(t.Context(), path, []string{"test", "-failfast", "."}); status != 1 {
		t.Errorf("got status %d, want 1", status)
	}
	if _, err := os.Stat(after); err == nil {
		t.Error("a test continued after another one had failed")
	}
}

func TestOutputIsReadLineByLine(t *testing.T) {
	failures := 0
	o := testOutput{failed: func() { failures++ }}
	for _, part := range []string{"=== RUN TestA\n    a_test.go:1: says --- FAIL: \n   --- FA", "IL: TestA/sub (0.0s)\n--- FAIL: TestA\n", "FAIL m [build failed]"} {
		_, _ = o.Write([]byte(part))
	}
	if failures != 1 || o.buildFailed {
		t.Errorf("before the line ends: got %d failures, build failed: %t; want 1, false", failures, o.buildFailed)
	}
	if _, _ = o.Write([]byte("\n")); !o.buildFailed {
		t.Error("got build failed: false, want true")
	}
}
