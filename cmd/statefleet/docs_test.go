package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTestsThatSecurityNamesAreThere: docs/security.md says what holds and which test proves it.
func TestTestsThatSecurityNamesAreThere(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`(Test[A-Za-z]+)(?:/([A-Za-z]+))?`").FindAllStringSubmatch(string(text), -1)
	if len(names) == 0 {
		t.Fatal("it names none")
	}
	source := testSource(t, "../..")
	for _, name := range names {
		test, part := name[1], name[2]
		if !strings.Contains(source, "func "+test+"(t *testing.T)") || part != "" && !strings.Contains(source, `t.Run("`+part+`"`) {
			t.Errorf("there is no %s", name[0])
		}
	}
}

// testSource is the text of all tests below a folder.
func testSource(t *testing.T, root string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
