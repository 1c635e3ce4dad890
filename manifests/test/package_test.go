package test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// packageChart runs "make chart" and returns the path of the packaged chart.
func packageChart(t *testing.T, version string, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), "make", "-C", "../..", "chart", "CHARTS="+dir, "VERSION="+version)
	c.Env = append(os.Environ(), env...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("got %d files, error %v; want the chart only", len(files), err)
	}
	return filepath.Join(dir, files[0].Name())
}

func loadPackage(t *testing.T, file string) *chart.Chart {
	t.Helper()
	c, err := loader.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPackagedChartIsTheFolder checks that the package renders the same objects as the folder, has no tests, and is
// reproducible.
func TestPackagedChartIsTheFolder(t *testing.T) {
	file := packageChart(t, "v"+load(t).Metadata.Version, "TZ=UTC", "SOURCE_DATE_EPOCH=1767225600")
	first := readFile(t, file)
	second := readFile(t, packageChart(t, "v"+load(t).Metadata.Version, "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8",
		"SOURCE_DATE_EPOCH=1767225600"))
	if first != second {
		t.Error("got different bytes when packaged again")
	}
	checkHeaders(t, first, 1767225600)
	c := loadPackage(t, file)
	given := values(t, ksmDefaults)
	got, err := renderChart(c, given)
	if err != nil {
		t.Fatal(err)
	}
	want, err := render(t, given)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got other objects than from the folder, error %v:\n%s", err, got)
	}
	has := map[string]bool{}
	for _, f := range c.Files {
		has[f.Name] = true
		if strings.Contains(f.Name, "test") {
			t.Errorf("got the file %s, want no tests", f.Name)
		}
		if f.Name == "README.md" && strings.Contains(string(f.Data), "](..") {
			t.Error("README.md has links that leave the package, want absolute links")
		}
	}
	if !has["README.md"] || !has["LICENSE"] || c.Schema == nil {
		t.Errorf("got files %v and a schema of %d bytes, want README.md, LICENSE and the schema", has, len(c.Schema))
	}
}

// checkHeaders checks that times, owners and modes do not depend on the machine.
func checkHeaders(t *testing.T, archive string, modified int64) {
	t.Helper()
	unpacked, err := gzip.NewReader(strings.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(unpacked); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != modified || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Mode&0o777 != 0o644 &&
			h.Typeflag == tar.TypeReg {
			t.Errorf("got header %+v, want the given time, owner 0 and mode 644", h)
		}
	}
}

// TestPackagedChartHasTheVersion checks that chart and image have the version of the tag. If the tag is not a semantic
// version, it is appended to the version in Chart.yaml.
func TestPackagedChartHasTheVersion(t *testing.T) {
	own := load(t).Metadata
	for version, want := range map[string][2]string{
		"v9.8.7":              {"9.8.7", "9.8.7"},
		"9.8.7-rc.1":          {"9.8.7-rc.1", "9.8.7-rc.1"},
		"v0.1.0-5-g0123abc":   {"0.1.0-5-g0123abc", "0.1.0-5-g0123abc"},
		"0123abc-dirty":       {own.Version + "-g0123abc-dirty", own.AppVersion},
		"team/v1":             {own.Version + "-gteam-v1", own.AppVersion},
		"a5ba5b8 `echo evil`": {own.Version + "-ga5ba5b8--echo-evil-", own.AppVersion},
	} {
		file := packageChart(t, version)
		got := loadPackage(t, file).Metadata
		if got.Version != want[0] || got.AppVersion != want[1] || filepath.Base(file) != "statefleet-"+want[0]+".tgz" {
			t.Errorf("VERSION=%s: got version %s, appVersion %s, file %s; want %q", version, got.Version, got.AppVersion,
				filepath.Base(file), want)
		}
	}
}

// TestChartDescribesItself checks that the chart has the metadata that registries show, with links to existing files.
func TestChartDescribesItself(t *testing.T) {
	m := load(t).Metadata
	if m.Icon == "" || m.KubeVersion == "" || len(m.Maintainers) == 0 || m.Maintainers[0].URL == "" || m.Home == "" ||
		m.Description == "" {
		t.Errorf("got metadata %+v, want all fields", m)
	}
	for _, key := range []string{"category", "license", "links"} {
		if m.Annotations["artifacthub.io/"+key] == "" {
			t.Errorf("got no annotation artifacthub.io/%s, want one", key)
		}
	}
	links := regexp.MustCompile(`https://(?:raw\.githubusercontent|github)\.com/statefleet/statefleet/(?:blob/)?main/(\S+)`).
		FindAllStringSubmatch(m.Icon+"\n"+m.Annotations["artifacthub.io/links"], -1)
	if len(links) < 4 {
		t.Errorf("got links %q, want at least 4", links)
	}
	for _, link := range links {
		if _, err := os.Stat(filepath.Join("../..", link[1])); err != nil {
			t.Errorf("%s: %v", link[0], err)
		}
	}
}

// TestMakefilePushesTheChart checks that "make push-chart" pushes the packaged chart to the given repository.
func TestMakefilePushesTheChart(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "make", "-n", "-C", "../..", "push-chart", "CHARTS=/charts",
		"REPOSITORY=registry.example/charts").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "> '/charts'/statefleet-") ||
		!strings.Contains(string(out), "run . push-chart /charts/statefleet-*.tgz 'registry.example/charts'") {
		t.Errorf("got error %v and the commands\n%s", err, out)
	}
}
