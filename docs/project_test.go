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

// workflow has the fields of a GitHub Actions workflow that the tests check.
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

// workflows returns all workflows by path.
func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	paths, err := filepath.Glob(root + "/.github/workflows/*.yml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got no workflows, error %v", err)
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

// TestActionsArePinnedByCommit checks that actions are pinned by commit, because a tag can be moved. Dependabot reads
// the version from the comment.
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
				t.Errorf("%s: got %q, want a commit and the version as a comment", path, line)
				continue
			}
			_, action, _ := strings.Cut(line, "uses: ")
			name, version, _ := strings.Cut(action, "@")
			if other, ok := versions[name]; ok && other != version {
				t.Errorf("%s: got %s at %s, want %s as elsewhere", path, name, version, other)
			}
			versions[name] = version
		}
	}
	if len(versions) < 3 {
		t.Errorf("got %d actions, want at least 3", len(versions))
	}
}

// TestOnlyThePublishingJobMayWrite checks that each job declares its permissions, and that only the job that publishes
// a release may write.
func TestOnlyThePublishingJobMayWrite(t *testing.T) {
	for path, w := range workflows(t) {
		if w.Permissions == nil || len(*w.Permissions) != 0 {
			t.Errorf("%s: permissions at the top must be {}", path)
		}
		for name, job := range w.Jobs {
			if job.Permissions == nil {
				t.Errorf("%s: job %s must declare its permissions", path, name)
			}
			for scope, right := range job.Permissions {
				if right != "read" && (filepath.Base(path) != "release.yml" || name != "publish") {
					t.Errorf("%s: job %s: got permission %s: %s, want read", path, name, scope, right)
				}
			}
			for _, step := range job.Steps {
				if strings.HasPrefix(step.Uses, "actions/checkout@") && step.With["persist-credentials"] != false {
					t.Errorf("%s: job %s: checkout must have persist-credentials: false", path, name)
				}
				if strings.Contains(step.Run, "${{") {
					t.Errorf("%s: job %s must not use an expression in a shell command: %s", path, name, step.Run)
				}
			}
		}
	}
}

// TestWorkflowsRunMakeTargets checks that workflows run existing make targets, so that users can run the same.
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
						t.Errorf("%s runs make %s, which does not exist", path, match[1])
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

// TestEveryModuleIsUpdated checks that Dependabot has every folder with a go.mod, package.json or Dockerfile.
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
			t.Errorf("%s: got folders %q in dependabot.yml, want %q", ecosystem, got[ecosystem], folders)
		}
	}
}

// TestSecurityInsightsPointAtFiles checks that links into this repository lead to existing files.
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
		t.Errorf("got %d links, want at least 5", len(links))
	}
}
