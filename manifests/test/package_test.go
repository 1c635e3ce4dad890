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

// packageChart runs "make chart" and returns the file.
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
		t.Fatalf("%v, %d files, want the chart alone", err, len(files))
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

// TestPackagedChartIsTheFolder: it renders the same, has no tests, and can be checked by packaging it again.
func TestPackagedChartIsTheFolder(t *testing.T) {
	file := packageChart(t, "v"+load(t).Metadata.Version, "TZ=UTC", "SOURCE_DATE_EPOCH=1767225600")
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(packageChart(t, "v"+load(t).Metadata.Version, "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8",
		"SOURCE_DATE_EPOCH=1767225600"))
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("%v, packaged again it has other bytes", err)
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
		t.Errorf("%v, it renders\n%s", err, got)
	}
	has := map[string]bool{}
	for _, f := range c.Files {
		has[f.Name] = true
		if strings.Contains(f.Name, "test") {
			t.Errorf("it contains %s", f.Name)
		}
		if f.Name == "README.md" && strings.Contains(string(f.Data), "](..") {
			t.Error("its README has links that lead nowhere")
		}
	}
	if !has["README.md"] || !has["LICENSE"] || c.Schema == nil {
		t.Errorf("it has %v and a schema of %d bytes", has, len(c.Schema))
	}
}

// checkHeaders looks for what differs between machines: times, owners and modes.
func checkHeaders(t *testing.T, archive []byte, modified int64) {
	t.Helper()
	unpacked, err := gzip.NewReader(bytes.NewReader(archive))
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
			t.Errorf("%+v", h)
		}
	}
}

// TestPackagedChartHasTheVersion: of the tag, with the image of that tag. What is no semantic version follows that of
// Chart.yaml.
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
			t.Errorf("VERSION=%s: version %s, appVersion %s, file %s, want %q", version, got.Version, got.AppVersion,
				filepath.Base(file), want)
		}
	}
}

// TestChartDescribesItself: what registries of charts show is there, and its links lead to files of the repository.
func TestChartDescribesItself(t *testing.T) {
	m := load(t).Metadata
	if m.Icon == "" || m.KubeVersion == "" || len(m.Maintainers) == 0 || m.Maintainers[0].URL == "" || m.Home == "" ||
		m.Description == "" {
		t.Errorf("%+v", m)
	}
	for _, key := range []string{"category", "license", "links"} {
		if m.Annotations["artifacthub.io/"+key] == "" {
			t.Errorf("no annotation artifacthub.io/%s", key)
		}
	}
	links := regexp.MustCompile(`https://(?:raw\.githubusercontent|github)\.com/statefleet/statefleet/(?:blob/)?main/(\S+)`).
		FindAllStringSubmatch(m.Icon+"\n"+m.Annotations["artifacthub.io/links"], -1)
	if len(links) < 4 {
		t.Errorf("links %q", links)
	}
	for _, link := range links {
		if _, err := os.Stat(filepath.Join("../..", link[1])); err != nil {
			t.Errorf("%s: %v", link[0], err)
		}
	}
}

// TestMakefilePushesTheChart: the file that it has packaged, to the repository that is given.
func TestMakefilePushesTheChart(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "make", "-n", "-C", "../..", "push-chart", "CHARTS=/charts",
		"REPOSITORY=registry.example/charts").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "> '/charts'/statefleet-") ||
		!strings.Contains(string(out), "run . push-chart /charts/statefleet-*.tgz 'registry.example/charts'") {
		t.Errorf("%v\n%s", err, out)
	}
}
