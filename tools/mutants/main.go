// Command mutants runs mutation tests. Gremlins changes one operator of a package at a time and runs the package's
// tests. The command compares the results with the targets of the package.
//
//	go run ./tools/mutants --gremlins=bin/gremlins internal/wire
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// maxMemory limits the memory of a test process in bytes, because some mutants append forever.
const maxMemory = 4 << 30

type options struct {
	gremlins    string
	equivalents string
	files       string
	coefficient int
	workers     int
}

func main() {
	if path := os.Getenv(realGo); path != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		status := goCommand(ctx, path, os.Args[1:])
		stop()
		os.Exit(status)
	}
	var o options
	flag.StringVar(&o.gremlins, "gremlins", "bin/gremlins", "the gremlins binary")
	flag.StringVar(&o.equivalents, "equivalents", "tools/mutants/equivalents.txt", "the reviewed mutants")
	flag.StringVar(&o.files, "files", "", "the files to mutate, separated by commas (default: all files of the package)")
	flag.IntVar(&o.coefficient, "timeout-coefficient", 5, "timeout of a mutant, as a multiple of the coverage run's duration")
	flag.IntVar(&o.workers, "workers", 1, "number of mutants that are tested concurrently")
	flag.Parse()
	if err := run(context.Background(), o, flag.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, packages []string, out io.Writer) error {
	if len(packages) == 0 {
		return errors.New("no package given, want directories such as internal/wire")
	}
	text, err := os.ReadFile(o.equivalents)
	if err != nil {
		return err
	}
	reviewed, err := parseReviewed(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", o.equivalents, err)
	}
	limit := syscall.Rlimit{Cur: maxMemory, Max: maxMemory}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
		return fmt.Errorf("limiting the memory of the tests: %w", err)
	}
	var results []result
	for _, pkg := range packages {
		pkg = filepath.Clean(pkg)
		mutants, err := unleash(ctx, o, pkg)
		if err != nil {
			return fmt.Errorf("%s: %w", pkg, err)
		}
		results = append(results, summarize(pkg, mutants, reviewed))
	}
	return report(out, results)
}

// unleash runs gremlins on one package and returns its mutants in the order of the source.
func unleash(ctx context.Context, o options, pkg string) ([]mutant, error) {
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	found := filepath.Join(dir, "mutants.json")
	path, err := filepath.Abs(pkg)
	if err != nil {
		return nil, err
	}
	args := []string{"unleash", "--output", found, "--workers", strconv.Itoa(o.workers), "--timeout-coefficient", strconv.Itoa(o.coefficient)}
	args = append(args, "--exclude-files", "/") // packages in subfolders
	excluded, err := others(path, o.files)
	if err != nil {
		return nil, err
	}
	for _, file := range excluded {
		args = append(args, "--exclude-files", "^"+strings.ReplaceAll(file, ".", `\.`)+"$")
	}
	wrapped, err := wrapGo(dir)
	if err != nil {
		return nil, err
	}
	// Gremlins derives the timeout from the duration of the coverage run. That run must not use cached results or compile
	// dependencies, which the warm-up does.
	env := append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -short -count=1 -vet=off -parallel=16 -failfast")
	warm := exec.CommandContext(ctx, "go", "test", "-run=^$", "-coverprofile="+filepath.Join(dir, "cover"), "./"+pkg+"/...")
	warm.Env = env
	unleash := exec.CommandContext(ctx, o.gremlins, append(args, path)...)
	unleash.Env = append(env, wrapped...)
	for _, c := range []*exec.Cmd{warm, unleash} {
		c.Stdout, c.Stderr = os.Stderr, os.Stderr
		if err := c.Run(); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(c.Path), err)
		}
	}
	written, err := os.ReadFile(found)
	if err != nil {
		return nil, fmt.Errorf("gremlins wrote no result: %w", err)
	}
	return readMutants(written, pkg)
}

// others returns the Go files in dir that are not in the comma-separated list.
func others(dir, files string) ([]string, error) {
	if files == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	wanted, out := strings.Split(files, ","), []string(nil)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") && !slices.Contains(wanted, e.Name()) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// Statuses in the output of gremlins.
const (
	killed     = "KILLED"
	lived      = "LIVED"
	notCovered = "NOT COVERED"
	timedOut   = "TIMED OUT"
	notViable  = "NOT VIABLE"
)

// mutant is one change of one operator. Nth is its number among the mutants of the same type in the same line, from 1.
type mutant struct {
	File         string
	Line, Column int
	Type, Status string
	Text         string
	Nth          int
}

func (m mutant) String() string {
	return fmt.Sprintf("%-11s %s:%d:%d %s/%d\n            %s", m.Status, m.File, m.Line, m.Column, m.Type, m.Nth, m.Text)
}

// readMutants parses gremlins' result and adds the source text of the lines.
func readMutants(written []byte, pkg string) ([]mutant, error) {
	var result struct {
		Files []struct {
			Name      string   `json:"file_name"`
			Mutations []mutant `json:"mutations"`
		} `json:"files"`
	}
	if err := json.Unmarshal(written, &result); err != nil {
		return nil, fmt.Errorf("invalid result of gremlins: %w", err)
	}
	var out []mutant
	for _, f := range result.Files {
		file := filepath.Join(pkg, f.Name)
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		lines := strings.Split(string(source), "\n")
		for _, m := range f.Mutations {
			if m.Line < 1 || m.Line > len(lines) {
				return nil, fmt.Errorf("result of gremlins: got line %d of %s, want 1 to %d", m.Line, file, len(lines))
			}
			m.File, m.Text = file, strings.TrimSpace(lines[m.Line-1])
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b mutant) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Column, b.Column))
	})
	for i := range out {
		out[i].Nth = 1
		if i > 0 && out[i-1].File == out[i].File && out[i-1].Line == out[i].Line && out[i-1].Type == out[i].Type {
			out[i].Nth = out[i-1].Nth + 1
		}
	}
	return out, nil
}
