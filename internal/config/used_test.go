package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestEverySettingIsRead checks that the program reads each setting: exported fields outside of this package, and
// inputs, from which other fields are derived, within it.
func TestEverySettingIsRead(t *testing.T) {
	program := fieldsRead(t, "../../cmd/statefleet", "../app", "../capacity", "../render")
	here := fieldsRead(t, ".")
	for _, settings := range []any{Config{}, Estimate{}, Render{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(settings)) {
			if f.IsExported() && !f.Anonymous && !program[f.Name] {
				t.Errorf("no package of the program reads %T.%s", settings, f.Name)
			}
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[inputs]()) {
		if !here[f.Name] {
			t.Errorf("nothing reads the input %s", f.Name)
		}
	}
}

// fieldsRead returns the names of selected fields and methods in the sources of these folders, except where their
// address is taken, as flags do.
func fieldsRead(t *testing.T, folders ...string) map[string]bool {
	t.Helper()
	read := map[string]bool{}
	for _, folder := range folders {
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: got no sources, error %v", folder, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.UnaryExpr:
					_, selected := n.X.(*ast.SelectorExpr)
					return !selected || n.Op != token.AND
				case *ast.SelectorExpr:
					read[n.Sel.Name] = true
				}
				return true
			})
		}
	}
	return read
}
