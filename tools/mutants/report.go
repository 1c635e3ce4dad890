package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
)

// Targets, in percent.
const (
	mostNotCovered = 5
	leastKilled    = 80
	strictKilled   = 85
)

// strict are the packages in which a bug can lose objects without an error.
var strict = []string{"shard", "shard/fleet", "internal/wire"}

// result is the result of one package: a line of the table, and the mutants and entries to report.
type result struct {
	pkg                                 string
	killed, lived, notCovered, timedOut int
	equivalent, notViable               int
	left                                []mutant // not reviewed, and lived, timed out or not covered
	stale                               []*review
	killedAnyway                        []mutant
}

// summarize counts the mutants of one package. Mutants that are listed as equivalent do not count as lived, timed out
// or not covered. Mutants that are listed as hanging count as killed if they time out.
func summarize(pkg string, mutants []mutant, reviewed []*review) result {
	r := result{pkg: pkg}
	files := map[string]bool{}
	for _, m := range mutants {
		files[m.File] = true
		var entry *review
		if i := slices.IndexFunc(reviewed, func(r *review) bool { return r.matches(m) }); i >= 0 {
			entry = reviewed[i]
			entry.used = true
		}
		switch {
		case m.Status == notViable:
			r.notViable++
		case m.Status == killed || m.Status == timedOut && entry != nil && entry.hangs:
			r.killed++
			if entry != nil && !entry.hangs {
				r.killedAnyway = append(r.killedAnyway, m)
			}
		case entry != nil && !entry.hangs:
			r.equivalent++
		case m.Status == lived:
			r.lived++
			r.left = append(r.left, m)
		case m.Status == timedOut:
			r.timedOut++
			r.left = append(r.left, m)
		case m.Status == notCovered:
			r.notCovered++
			r.left = append(r.left, m)
		}
	}
	for _, entry := range reviewed {
		// An entry of a file that was not mutated may still be valid.
		if !entry.used && (files[entry.file] || filepath.Dir(entry.file) == pkg && notExist(entry.file)) {
			r.stale = append(r.stale, entry)
		}
	}
	return r
}

func (r result) efficacy() float64 { return percent(r.killed, r.killed+r.lived) }

func (r result) uncovered() float64 {
	return percent(r.notCovered, r.notCovered+r.killed+r.lived+r.timedOut)
}

func (r result) target() float64 {
	if slices.Contains(strict, r.pkg) {
		return strictKilled
	}
	return leastKilled
}

func percent(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(n) / float64(of)
}

// report writes the mutants and entries that need work, and the table. It returns an error for each missed target.
func report(out io.Writer, results []result) error {
	var missed []error
	for _, r := range results {
		for _, m := range r.left {
			_, _ = fmt.Fprintln(out, m)
		}
		for _, m := range r.killedAnyway {
			_, _ = fmt.Fprintf(out, "listed as equivalent, but a test fails: %s\n", m)
		}
		for _, entry := range r.stale {
			_, _ = fmt.Fprintf(out, "line %d of the list matches no mutant: %s %s: %s\n", entry.line, entry.file, entry.mutation, entry.text)
		}
		if r.killed+r.lived == 0 {
			missed = append(missed, fmt.Errorf("%s: no mutant was tested", r.pkg))
			continue
		}
		if got := r.efficacy(); got < r.target() {
			missed = append(missed, fmt.Errorf("%s: %.1f %% of the covered mutants were killed, the target is %.0f %%", r.pkg, got, r.target()))
		}
		if got := r.uncovered(); got > mostNotCovered {
			missed = append(missed, fmt.Errorf("%s: %.1f %% of the mutants are not covered, at most %d %% may be", r.pkg, got, mostNotCovered))
		}
	}
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	_, _ = fmt.Fprintln(table, "| package\t| killed\t| lived\t| not covered\t| timed out\t| equivalent\t| not viable\t| efficacy\t|")
	_, _ = fmt.Fprintln(table, "| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t|")
	for _, r := range results {
		_, _ = fmt.Fprintf(table, "| %s\t| %d\t| %d\t| %d (%.1f %%)\t| %d\t| %d\t| %d\t| %.1f %%\t|\n",
			r.pkg, r.killed, r.lived, r.notCovered, r.uncovered(), r.timedOut, r.equivalent, r.notViable, r.efficacy())
	}
	return errors.Join(append(missed, table.Flush())...)
}

func notExist(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
