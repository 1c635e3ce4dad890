package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReadmeInstallsTheImageThatItBuilds runs the first commands of the README unchanged. They must build, push and
// install one image, and create the namespace first.
func TestReadmeInstallsTheImageThatItBuilds(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)\n```\n(.*?)\n```\n").FindStringSubmatch(readFile(t, "../../README.md"))
	path, called := writeFakes(t, map[string]string{ // those that need a network or a cluster
		"make": "", "kubectl": "",
		"git": fmt.Sprintf(`test "$1" != clone || { mkdir statefleet && ln -s %[1]s/Makefile %[1]s/manifests statefleet; }`, root),
	})
	shell := exec.CommandContext(t.Context(), "sh", "-euc", block[1])
	shell.Dir = t.TempDir()
	shell.Env = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"))
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	calls := strings.Split(strings.TrimSpace(called()), "\n")
	calls = slices.DeleteFunc(calls, func(c string) bool { return strings.HasPrefix(c, "git ") && !strings.HasPrefix(c, "git clone") })

	all, err := buildFolder(t, shell.Dir)
	if err != nil {
		t.Fatal(err)
	}
	set := workload(t, all)
	repository, tag, _ := strings.Cut(set.Spec.Template.Spec.Containers[0].Image, ":")
	want := []string{"git clone https://github.com/statefleet/statefleet", "make image push VERSION=" + tag + " REPOSITORY=" + repository,
		"kubectl create namespace " + set.Namespace, "kubectl apply -k \\.", "kubectl -n " + set.Namespace + " rollout status statefulset " + set.Name}
	if len(calls) != len(want) {
		t.Fatalf("got %d commands, want %d:\n%s", len(calls), len(want), strings.Join(calls, "\n"))
	}
	for i, pattern := range want {
		if !regexp.MustCompile("^" + pattern + "$").MatchString(calls[i]) {
			t.Errorf("got command %q, want %s", calls[i], pattern)
		}
	}
}

// TestMakefileHasTheTargetsOfTheReadme checks the targets that the first commands call.
func TestMakefileHasTheTargetsOfTheReadme(t *testing.T) {
	makefile := readFile(t, "../../Makefile")
	for _, want := range []string{"\nimage: bin/", "\npush: ## ", "--version=$(VERSION)", "dist/image '$(REPOSITORY)'"} {
		if !strings.Contains(makefile, want) {
			t.Errorf("the Makefile lacks %q", want)
		}
	}
}

// TestReadmeNamesTheSupportedVersions checks that README and chart have the same oldest version of Kubernetes.
func TestReadmeNamesTheSupportedVersions(t *testing.T) {
	oldest := strings.TrimSuffix(strings.TrimPrefix(load(t).Metadata.KubeVersion, ">="), ".0-0")
	if want := "**Kubernetes** " + oldest + " and later"; !strings.Contains(readFile(t, "../../README.md"), want) {
		t.Errorf("the README lacks %q", want)
	}
}

// TestDocumentedKustomizationsBuild builds the kustomizations in all documents.
func TestDocumentedKustomizationsBuild(t *testing.T) {
	built := 0
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, block := range regexp.MustCompile("(?s)\n```yaml\n(.*?)```\n").FindAllStringSubmatch(readFile(t, file), -1) {
				layers := []layer{{"fleet", "resources: [github.com/statefleet/statefleet/manifests/base?ref=v0.1.0]\n"}}
				switch yaml := block[1]; {
				case strings.Contains(yaml, "resources: [fleet]"): // an overlay of another one
					layers = append(layers, layer{".", yaml})
				case strings.Contains(yaml, "statefleet/manifests/"):
					layers = []layer{{"fleet", yaml}}
				default:
					continue
				}
				built++
				if _, err := kustomize(t, layers...); err != nil {
					t.Errorf("%s: %v\n%s", file, err, block[1])
				}
			}
		}
	}
	if built < 5 {
		t.Errorf("got %d kustomizations in documents, want at least 5", built)
	}
}

// TestRemoteReferencesArePinned checks that references have ?ref= with a version, because others change over time.
func TestRemoteReferencesArePinned(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() && slices.Contains([]string{".git", "bin", "dist", "node_modules"}, d.Name()) {
			if err == nil {
				err = filepath.SkipDir
			}
			return err
		}
		if d.IsDir() || !slices.Contains([]string{".md", ".yaml"}, filepath.Ext(path)) {
			return nil
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			references := strings.Count(line, "github.com/statefleet/statefleet/manifests/")
			found += references
			if references != len(remote.FindAllString(line, -1)) {
				t.Errorf("%s: the reference must have ?ref= with a version: %s", path, strings.TrimSpace(line))
			}
		}
		return err
	})
	if err != nil || found < 5 {
		t.Errorf("got %d references, error %v; want at least 5", found, err)
	}
}
