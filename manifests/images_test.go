package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestKustomizationsNameTheReleasedImage: all of them the version of the chart, and none a tag that moves.
func TestKustomizationsNameTheReleasedImage(t *testing.T) {
	var chart struct{ AppVersion string }
	parse(t, "chart/Chart.yaml", &chart)
	named := 0
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != "kustomization.yaml" {
			return err
		}
		var k struct {
			Images []struct{ Name, NewTag string }
		}
		parse(t, path, &k)
		for _, image := range k.Images {
			named++
			if want := "v" + chart.AppVersion; image.NewTag != want {
				t.Errorf("%s: image %s has the tag %q, want %s", path, image.Name, image.NewTag, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if named < 2 {
		t.Errorf("%d images in kustomizations, want those of the base and of the DaemonSet", named)
	}
}

func parse(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "latest") {
		t.Errorf("%s names latest", path)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
