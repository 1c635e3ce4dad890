package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCodeInArchitectureExists checks the identifiers in docs/architecture.md: `name`, `Type.member` and
// `package.name` must be declared in the sources, and `name.go` must be a file. A folder counts as well.
func TestCodeInArchitectureExists(t *testing.T) {
	declared := declarations(t)
	declared["spec.replicas"] = true // of a StatefulSet
	named := 0
	identifier := regexp.MustCompile("`([A-Za-z]\\w*(?:\\.[A-Za-z]\\w*)?)`")
	for _, match := range identifier.FindAllStringSubmatch(documents(t)["docs/architecture.md"], -1) {
		name := match[1]
		if strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "statefleet_") {
			continue // a test or a metric, which other tests check
		}
		named++
		if _, err := os.Stat(filepath.Join(root, name)); err != nil && !declared[name] {
			t.Errorf("docs/architecture.md mentions %s, which does not exist", name)
		}
	}
	if named < 40 {
		t.Errorf("docs/architecture.md mentions %d identifiers, want at least 40", named)
	}
}

// declarations returns the names of files, packages and declarations in the program's source.
func declarations(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, folder := range []string{"cmd", "internal", "resources", "shard", "store"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			names[d.Name()], names[file.Name.Name] = true, true
			for _, declaration := range file.Decls {
				addDeclaration(names, file.Name.Name, declaration)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func addDeclaration(names map[string]bool, pkg string, declaration ast.Decl) {
	add := func(name string) { names[name], names[pkg+"."+name] = true, true }
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			add(d.Name.Name)
			return
		}
		names[typeName(d.Recv.List[0].Type)+"."+d.Name.Name] = true
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					add(name.Name)
				}
			case *ast.TypeSpec:
				add(spec.Name.Name)
				addMembers(names, spec)
			}
		}
	}
}

// addMembers adds the fields of a struct and the methods of an interface.
func addMembers(names map[string]bool, spec *ast.TypeSpec) {
	var members *ast.FieldList
	switch t := spec.Type.(type) {
	case *ast.StructType:
		members = t.Fields
	case *ast.InterfaceType:
		members = t.Methods
	default:
		return
	}
	for _, member := range members.List {
		for _, name := range member.Names {
			names[spec.Name.Name+"."+name.Name] = true
		}
	}
}

// typeName returns the name of a receiver's type.
func typeName(receiver ast.Expr) string {
	switch r := receiver.(type) {
	case *ast.StarExpr:
		return typeName(r.X)
	case *ast.IndexExpr:
		return typeName(r.X)
	case *ast.Ident:
		return r.Name
	}
	return ""
}
