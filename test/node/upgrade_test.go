//go:build linux

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// upgradeAndBack rolls out the image in the folder that the environment variable PREVIOUS names, and then the tested
// image again. "make image" writes such a folder.
func upgradeAndBack(name string, maxMissing time.Duration) scenario {
	var previous string
	return scenario{
		name: name, maxMissing: maxMissing,
		prepare: func(t *testing.T, s *setup) { previous = s.loadPrevious(t) },
		act: func(t *testing.T, s *setup) {
			s.checkVersions(t, s.image)
			for _, image := range []string{previous, s.image} {
				s.setImage(t, image)
				s.waitRollout(t)
				s.checkVersions(t, image)
			}
		},
	}
}

// loadPrevious imports the previous image into the nodes and returns its name.
func (s *setup) loadPrevious(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PREVIOUS")
	if dir == "" {
		t.Skip(`NOT TESTED: PREVIOUS is not set; "make cluster-test" builds a previous image and sets it`)
	}
	archive, image, err := Image(dir)
	if err != nil {
		t.Fatal(err)
	}
	if image == s.image {
		t.Fatalf("IMAGE and PREVIOUS are both %s, want two versions", image)
	}
	for _, m := range s.machines {
		if _, err := m.run(t.Context(), filepath.Join(s.tools, "ctr"), "-n", "k8s.io", "images", "import", archive); err != nil {
			t.Fatal(err)
		}
	}
	return image
}

// checkVersions checks that each replica reports the version in the name of an image.
func (s *setup) checkVersions(t *testing.T, image string) {
	t.Helper()
	_, want, _ := strings.Cut(image, ":")
	for _, p := range s.pods(t) {
		self, err := s.replica(p).SelfMetrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		version := ""
		for family, labels := range self.Labels {
			if family == "statefleet_build_info" {
				version = labels["version"]
			}
		}
		if version != want {
			t.Errorf("%s: got version %q, want %s", p.Name, version, want)
		}
	}
}
