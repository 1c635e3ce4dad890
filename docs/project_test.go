package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// workflow is the part of a workflow of GitHub Actions that has rules here.
type workflow struct {
	Permissions *map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Steps       []struct {
			Uses, Run string
			With      map[string]any
		}
	}
}

// workflows are all workflows, by path.
func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	paths, err := filepath.Glob(root + "/.github/workflows/*.yml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	all := map[string]workflow{}
	for _, path := range paths {
		var w workflow
		read(t, path, &w)
		all[path] = w
	}
	return all
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestActionsArePinnedByCommit: a tag can be moved to other code. The comment tells Dependabot and readers the version.
func TestActionsArePinnedByCommit(t *testing.T) {
	pinned := regexp.MustCompile(`^\s*(?:- )?uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	versions := map[string]string{}
	for path := range workflows(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !regexp.MustCompile(`^\s*(- )?uses:`).MatchString(line) {
				continue
			}
			line = strings.TrimRight(line, "\n")
			if !pinned.MatchString(line) {
				t.Errorf("%s: %q is not pinned by a commit with its version as a comment", path, line)
				continue
			}
			_, action, _ := strings.Cut(line, "uses: ")
			name, version, _ := strings.Cut(action, "@")
			if other, ok := versions[name]; ok && other != version {
				t.Errorf("%s: %s at %s, elsewhere at %s", path, name, version, other)
			}
			versions[name] = version
		}
	}
	if len(versions) < 3 {
		t.Errorf("only %d actions were looked at", len(versions))
	}
}

// TestOnlyThePublishingJobMayWrite: no job has rights that it does not name. Tests and builds may read; one job may
// write: it publishes what they have built.
func TestOnlyThePublishingJobMayWrite(t *testing.T) {
	for path, w := range workflows(t) {
		if w.Permissions == nil || len(*w.Permissions) != 0 {
			t.Errorf("%s: permissions at the top must be {}", path)
		}
		for name, job := range w.Jobs {
			if job.Permissions == nil {
				t.Errorf("%s: job %s names no permissions", path, name)
			}
			for scope, right := range job.Permissions {
				if right != "read" && (filepath.Base(path) != "release.yml" || name != "publish") {
					t.Errorf("%s: job %s has %s: %s", path, name, scope, right)
				}
			}
			for _, step := range job.Steps {
				if strings.HasPrefix(step.Uses, "actions/checkout@") && step.With["persist-credentials"] != false {
					t.Errorf("%s: job %s leaves the token in the checkout", path, name)
				}
				if strings.Contains(step.Run, "${{") {
					t.Errorf("%s: job %s puts an expression into a shell: %s", path, name, step.Run)
				}
			}
		}
	}
}

// TestWorkflowsRunMakeTargets: what runs there is what a user runs.
func TestWorkflowsRunMakeTargets(t *testing.T) {
	makefile, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{}
	for path, w := range workflows(t) {
		for _, job := range w.Jobs {
			for _, step := range job.Steps {
				for _, match := range regexp.MustCompile(`(?m)^\s*make ([a-z0-9-]+)`).FindAllStringSubmatch(step.Run, -1) {
					ran[match[1]] = true
					if !regexp.MustCompile(`(?m)^` + match[1] + `:.* ## `).Match(makefile) {
						t.Errorf("%s: there is no make %s", path, match[1])
					}
				}
			}
		}
	}
	for _, target := range []string{"test", "page-test", "vuln", "release", "image", "push", "chart", "push-chart"} {
		if !ran[target] {
			t.Errorf("no workflow runs make %s", target)
		}
	}
}

// TestEveryModuleIsUpdated: by Dependabot, in the folder of its go.mod, package.json or Dockerfile.
func TestEveryModuleIsUpdated(t *testing.T) {
	var config struct {
		Updates []struct {
			PackageEcosystem string `json:"package-ecosystem"`
			Directory        string
			Directories      []string
		}
	}
	read(t, root+"/.github/dependabot.yml", &config)
	got := map[string][]string{}
	for _, u := range config.Updates {
		folders := u.Directories
		if u.Directory != "" {
			folders = append(folders, u.Directory)
		}
		got[u.PackageEcosystem] = append(got[u.PackageEcosystem], folders...)
	}
	want := map[string][]string{"github-actions": {"/"}}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		ecosystem := map[string]string{"go.mod": "gomod", "package.json": "npm", "Dockerfile": "docker"}[d.Name()]
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "dist", "node_modules", "testdata"}, d.Name()):
			return filepath.SkipDir
		case ecosystem != "":
			folder := "/" + strings.TrimPrefix(strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), root), "/")
			want[ecosystem] = append(want[ecosystem], folder)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for ecosystem, folders := range want {
		slices.Sort(folders)
		slices.Sort(got[ecosystem])
		if !slices.Equal(folders, got[ecosystem]) {
			t.Errorf("%s: updated are %q, there are %q", ecosystem, got[ecosystem], folders)
		}
	}
}

// TestSecurityInsightsPointAtFiles: the links into this repository lead to files that are there.
func TestSecurityInsightsPointAtFiles(t *testing.T) {
	text, err := os.ReadFile(root + "/SECURITY-INSIGHTS.yml")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`/statefleet/(?:blob|tree)/main/([^\s#"]+)`).FindAllStringSubmatch(string(text), -1)
	for _, link := range links {
		if _, err := os.Stat(filepath.Join(root, link[1])); err != nil {
			t.Error(err)
		}
	}
	if len(links) < 5 {
		t.Errorf("only %d links", len(links))
	}
}
