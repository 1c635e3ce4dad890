// Package docs has tests of the documents and the project files.
package docs

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/config"
)

const root = ".."

// documents returns the text of all Markdown files, by path from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "dist", "node_modules"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		texts[strings.TrimPrefix(filepath.ToSlash(path), root+"/")] = string(text)
		return err
	})
	if err != nil || len(texts) < 10 {
		t.Fatalf("got %d documents, error %v; want at least 10", len(texts), err)
	}
	return texts
}

// found returns the first groups of all matches of a pattern, and a document that has each. It fails the test if there
// are none.
func found(t *testing.T, pattern string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, text := range documents(t) {
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			all[match[1]] = name
		}
	}
	if len(all) == 0 {
		t.Fatalf("no document has %s", pattern)
	}
	return all
}

// TestTestsInDocumentsExist checks the tests that documents mention as proofs.
func TestTestsInDocumentsExist(t *testing.T) {
	source := testSource(t)
	for name, document := range found(t, "`(Test[A-Za-z0-9]+(?:/[A-Za-z]+)?)`") {
		test, part, _ := strings.Cut(name, "/")
		if !strings.Contains(source, "func "+test+"(t *testing.T)") || part != "" && !strings.Contains(source, `t.Run("`+part+`"`) {
			t.Errorf("%s mentions %s, which does not exist", document, name)
		}
	}
}

// testSource returns the text of all Go test files.
func testSource(t *testing.T) string {
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

func TestMakeTargetsInDocumentsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for target, document := range found(t, "(?m)(?:^|`)make ([a-z0-9-]+)") {
		if !regexp.MustCompile(`(?m)^` + target + `:.* ## `).Match(makefile) {
			t.Errorf("%s mentions make %s, which does not exist", document, target)
		}
	}
}

// TestFlagsInDocumentsExist checks that flags in code are those of statefleet, or known ones of other programs.
func TestFlagsInDocumentsExist(t *testing.T) {
	var help strings.Builder
	for _, load := range []func() (bool, error){
		func() (bool, error) {
			_, done, err := config.Load([]string{"--help"}, &help, io.Discard)
			return done, err
		},
		func() (bool, error) {
			_, done, err := config.LoadEstimate([]string{"--help"}, &help, io.Discard)
			return done, err
		},
		func() (bool, error) {
			_, done, err := config.LoadRender([]string{"--help"}, &help, io.Discard)
			return done, err
		},
	} {
		if done, err := load(); err != nil || !done {
			t.Fatalf("--help: got done %t, error %v; want true and no error", done, err)
		}
	}
	known := []string{"completion-script-bash", "completion-script-zsh"} // not in the help
	for _, match := range regexp.MustCompile(`(?m)^  (?:-h, )?--(?:\[no-\])?([a-z][a-z.-]+)`).FindAllStringSubmatch(help.String(), -1) {
		known = append(known, match[1])
	}
	for flag, document := range found(t, "(?:`|(?m:^)(?:kubectl .* /)?statefleet .*)--([a-z][a-z0-9_.-]+)") {
		if name := strings.TrimPrefix(flag, "no-"); !slices.Contains(known, name) && !slices.Contains(foreign(), name) {
			t.Errorf("%s mentions --%s, which does not exist", document, flag)
		}
	}
}

// foreign returns flags of other programs that documents mention.
func foreign() []string {
	return []string{
		"flag",                // placeholder
		"server-sharding",     // of the load
		"warm-up",             // of the soak
		"binary",              // of the benchmarks
		"part", "most-memory", // of test/cmd/scale
		// of kube-state-metrics
		"add_dir_header", "alsologtostderr", "continue-without-config", "continue-without-custom-resource-state-config-file", "log_backtrace_at", "log_dir",
		"log_file", "log_file_max_size", "logtostderr", "one_output", "skip_headers", "skip_log_headers", "stderrthreshold", "vmodule",
	}
}

// TestPathsInDocumentsExist checks links, and the paths in commands of kubectl and Helm.
func TestPathsInDocumentsExist(t *testing.T) {
	for path, document := range found(t, `kubectl [^\n]*apply -k ([a-z/-]+)`) {
		if _, err := os.Stat(filepath.Join(root, path, "kustomization.yaml")); err != nil {
			t.Errorf("%s: %v", document, err)
		}
	}
	for path, document := range found(t, `(?:apply -f|helm install \S+) ([a-z][a-z./-]+)`) {
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			t.Errorf("%s: %v", document, err)
		}
	}
	texts := documents(t)
	for name, text := range texts {
		for _, match := range regexp.MustCompile(`\]\(([^)\s:]*)\)`).FindAllStringSubmatch(text, -1) {
			path, anchor, _ := strings.Cut(match[1], "#")
			target := name
			if path != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), path))
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if anchor != "" && !slices.Contains(anchors(texts[target]), anchor) {
				t.Errorf("%s: %s has no heading #%s", name, target, anchor)
			}
		}
	}
}

// anchors returns the anchors of a document's headings.
func anchors(text string) (names []string) {
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		names = append(names, strings.ReplaceAll(plain, " ", "-"))
	}
	return names
}

// TestVersionsAgree checks that the chart installs the latest version in the changelog, and that it has release notes.
func TestVersionsAgree(t *testing.T) {
	texts := documents(t)
	latest := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+)`).FindStringSubmatch(texts["CHANGELOG.md"])
	if latest == nil {
		t.Fatal("CHANGELOG.md has no version")
	}
	if _, ok := texts["docs/releases/"+latest[1]+".md"]; !ok {
		t.Errorf("docs/releases has no notes for %s", latest[1])
	}
	chart, err := os.ReadFile(filepath.Join(root, "manifests/chart/Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(chart), "\nappVersion: "+latest[1]+"\n") {
		t.Errorf("Chart.yaml must have appVersion %s", latest[1])
	}
}
