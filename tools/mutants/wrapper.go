package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// realGo is the environment variable with the path of the go command. If it is set, gremlins has started this program
// instead of that command.
const realGo = "MUTANTS_GO"

// notCompiled is the exit status that gremlins interprets as a mutant that is not viable.
const notCompiled = 2

// goCommand runs the go command for gremlins, and returns the exit status. It corrects two errors of gremlins. If a
// mutant does not compile, go test exits with 1, and gremlins would count the mutant as killed. Coverage profiles have
// no blocks for the conditions of a switch and for package-level declarations, so gremlins would not test their
// mutants. It also ends the tests of a mutant at the first failure, because -failfast does not stop parallel tests.
func goCommand(ctx context.Context, path string, args []string) int {
	profile := slices.Index(args, "-coverprofile")
	testsMutant := profile < 0 && len(args) > 0 && args[0] == "test"
	if testsMutant {
		args = slices.Insert(slices.Clone(args), 1, "-v") // without -v, go test prints the output only at the end
	}
	output := &testOutput{}
	c := exec.CommandContext(ctx, path, args...)
	c.Stdout, c.Stderr = io.MultiWriter(os.Stdout, output), os.Stderr
	if testsMutant {
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Cancel kills go test and the test binary together
		c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
		output.failed = func() { _ = c.Cancel() }
	}
	err := c.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && output.buildFailed:
		return notCompiled
	case errors.As(err, &exit) && output.testFailed:
		return 1
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err == nil && profile >= 0:
		err = completeProfile(args[profile+1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		return 1
	}
	return 0
}

// testOutput parses the output of go test line by line.
type testOutput struct {
	line                    []byte
	buildFailed, testFailed bool
	failed                  func() // called at the first failed test; may be nil
}

func (o *testOutput) Write(p []byte) (int, error) {
	o.line = append(o.line, p...)
	for {
		line, rest, whole := bytes.Cut(o.line, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		o.line = rest
		o.buildFailed = o.buildFailed || bytes.Contains(line, []byte("[build failed]"))
		if !o.testFailed && bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("--- FAIL: ")) {
			if o.testFailed = true; o.failed != nil {
				o.failed()
			}
		}
	}
}

// wrapGo links this program into dir under the name of the go command, and returns environment variables with which it
// is found first.
func wrapGo(dir string) ([]string, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.Symlink(self, filepath.Join(dir, "go")); err != nil {
		return nil, err
	}
	return []string{realGo + "=" + path, "PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH")}, nil
}

// completeProfile adds missing blocks to a coverage profile of the module in the working directory, as covered:
// conditions of a switch that is executed, and package-level declarations.
func completeProfile(path string) error {
	profile, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		return err
	}
	module, _, _ := strings.Cut(strings.TrimPrefix(string(mod), "module "), "\n")
	covered := map[string][]block{}
	for line := range strings.Lines(string(profile)) {
		var b block
		name, place, ok := strings.Cut(line, ".go:")
		if n, _ := fmt.Sscanf(place, "%d.%d,%d.%d %d %d", &b.from.Line, &b.from.Column, &b.to.Line, &b.to.Column, &b.statements, &b.count); ok && n == 6 {
			covered[name+".go"] = append(covered[name+".go"], b)
		}
	}
	for name, blocks := range covered {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, strings.TrimPrefix(name, module+"/"), nil, 0)
		if err != nil {
			return err
		}
		for _, missing := range missingBlocks(fset, file, blocks) {
			profile = fmt.Appendf(profile, "%s:%d.%d,%d.%d 1 1\n", name, missing.from.Line, missing.from.Column, missing.to.Line, missing.to.Column)
		}
	}
	return os.WriteFile(path, profile, 0o600)
}

type block struct {
	from, to          token.Position
	statements, count int
}

func (b block) contains(p token.Position) bool {
	after := p.Line > b.from.Line || p.Line == b.from.Line && p.Column >= b.from.Column
	before := p.Line < b.to.Line || p.Line == b.to.Line && p.Column <= b.to.Column
	return after && before
}

func missingBlocks(fset *token.FileSet, file *ast.File, blocks []block) []block {
	var out []block
	add := func(from, to token.Pos) {
		out = append(out, block{from: fset.Position(from), to: fset.Position(to)})
	}
	for _, d := range file.Decls {
		if d, ok := d.(*ast.GenDecl); ok && (d.Tok == token.CONST || d.Tok == token.VAR) {
			add(d.Pos(), d.End())
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SwitchStmt)
		if !ok || !slices.ContainsFunc(blocks, func(b block) bool { return b.count > 0 && b.contains(fset.Position(s.Pos())) }) {
			return true
		}
		for _, clause := range s.Body.List {
			add(clause.Pos(), clause.(*ast.CaseClause).Colon)
		}
		return true
	})
	return out
}
