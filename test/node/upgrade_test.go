//go:build linux

package node

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// upgradeAndBack rolls the fleet out to the image that PREVIOUS names, a folder that "make image" has written, and back
// to the one that is tested.
func upgradeAndBack(name string, missing time.Duration) scenario {
	var previous string
	return scenario{
		name: name, missing: missing,
		before: func(t *testing.T, s *site) { previous = s.loadPrevious(t) },
		act: func(t *testing.T, s *site) {
			s.checkVersions(t, s.image)
			for _, image := range []string{previous, s.image} {
				s.setImage(t, image)
				s.waitRollout(t)
				s.checkVersions(t, image)
			}
		},
	}
}

// loadPrevious gives the previous image to the nodes and returns its name.
func (s *site) loadPrevious(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PREVIOUS")
	if dir == "" {
		t.Skip(`NOT TESTED: there is no previous image; "make cluster-test" builds one`)
	}
	archive, image, err := Image(dir)
	if err != nil {
		t.Fatal(err)
	}
	if image == s.image {
		t.Fatalf("IMAGE and PREVIOUS are both %s: nothing is upgraded", image)
	}
	for _, m := range s.machines {
		if _, err := m.run(t.Context(), filepath.Join(s.tools, "ctr"), "-n", "k8s.io", "images", "import", archive); err != nil {
			t.Fatal(err)
		}
	}
	return image
}

// checkVersions checks that each replica says that it is of the version in the name of an image.
func (s *site) checkVersions(t *testing.T, image string) {
	t.Helper()
	_, want, _ := strings.Cut(image, ":")
	for _, p := range s.pods(t) {
		_, self := s.get(t, p, "8081", "")
		version := regexp.MustCompile(`(?m)^statefleet_build_info\{.*version="([^"]*)"`).FindStringSubmatch(self)
		if version == nil || version[1] != want {
			t.Errorf("%s is of version %q, want %s", p.Name, version, want)
		}
	}
}
