package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestKustomizationsNameTheReleasedImage checks that all kustomizations, and the label of the base, have the appVersion
// of the chart, and that no file has the tag latest.
func TestKustomizationsNameTheReleasedImage(t *testing.T) {
	var chart struct{ AppVersion string }
	parse(t, "chart/Chart.yaml", &chart)
	named, labelled := 0, 0
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != "kustomization.yaml" {
			return err
		}
		var k struct {
			Images []struct{ Name, NewTag string }
			Labels []struct{ Pairs map[string]string }
		}
		parse(t, path, &k)
		for _, image := range k.Images {
			named++
			if want := "v" + chart.AppVersion; image.NewTag != want {
				t.Errorf("%s: image %s: got tag %q, want %s", path, image.Name, image.NewTag, want)
			}
		}
		for _, label := range k.Labels {
			labelled++
			if got := label.Pairs["app.kubernetes.io/version"]; got != chart.AppVersion {
				t.Errorf("%s: got label app.kubernetes.io/version=%q, want %s", path, got, chart.AppVersion)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if named < 2 || labelled < 1 {
		t.Errorf("got %d images and %d labels in kustomizations, want images of base and DaemonSet and the label of the base",
			named, labelled)
	}
}

func parse(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "latest") {
		t.Errorf("%s contains \"latest\", want the tag of a release", path)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
