package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const chartYAML = "apiVersion: v2\nname: fleet\nversion: 1.2.3+build\ndescription: A fleet\nsources: [https://example.org/a]\n"

// packaged writes a packaged chart with the given files, and returns its path.
func packaged(t *testing.T, files ...file) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.content); err != nil {
			t.Fatal(err)
		}
	}
	if w.Close() != nil || z.Close() != nil {
		t.Fatal("cannot close the archive")
	}
	path := filepath.Join(t.TempDir(), "chart.tgz")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPushedChartIsOneThatHelmPulls checks that media types, configuration, content, name and tag are those that Helm
// expects.
func TestPushedChartIsOneThatHelmPulls(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	chart := packaged(t,
		file{name: "fleet/charts/other/Chart.yaml", content: []byte("name: other\nversion: 9.9.9\n")},
		file{name: "fleet/Chart.yaml", content: []byte(chartYAML)})
	host := strings.TrimPrefix(server.URL, "http://")
	var first string
	for _, repository := range []string{host + "/team/charts", "oci://" + host + "/team/charts",
		host + "/team/charts/fleet"} {
		var out bytes.Buffer
		if err := run(t.Context(), []string{"push-chart", chart, repository}, &out); err != nil {
			t.Fatal(err)
		}
		tag, err := name.NewTag(host + "/team/charts/fleet:1.2.3_build")
		if err != nil {
			t.Fatal(err)
		}
		image, err := remote.Image(tag)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = digest.String()
		}
		if want := "oci://" + tag.String() + "@" + first + "\n"; out.String() != want {
			t.Errorf("%s: got output %q, want %q", repository, out.String(), want)
		}
		manifest, err := image.Manifest()
		if err != nil || manifest.Config.MediaType != "application/vnd.cncf.helm.config.v1+json" ||
			len(manifest.Layers) != 1 ||
			manifest.Layers[0].MediaType != "application/vnd.cncf.helm.chart.content.v1.tar+gzip" ||
			manifest.Annotations["org.opencontainers.image.source"] != "https://example.org/a" {
			t.Fatalf("got manifest %+v, error %v; want that of a chart", manifest, err)
		}
		config, err := image.RawConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		var m metadata
		if err := json.Unmarshal(config, &m); err != nil || m.Name != "fleet" || m.Version != "1.2.3+build" {
			t.Errorf("got configuration %s, error %v; want the metadata of the chart", config, err)
		}
		layer, err := remote.Layer(tag.Digest(manifest.Layers[0].Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		content, err := layer.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := os.ReadFile(chart); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got content of %d bytes, error %v; want the %d bytes of the chart", len(got), err, len(want))
		}
	}
}

func TestChartsThatCannotBePushed(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	unreachable := httptest.NewServer(nil)
	unreachable.Close()
	nowhere := strings.TrimPrefix(unreachable.URL, "http://") + "/a"
	good := packaged(t, file{name: "fleet/Chart.yaml", content: []byte(chartYAML)})
	for _, c := range []struct{ chart, repository, want string }{
		{"no-such-file", "a/b", "package it first"},
		{text, "a/b", "not a packaged chart"},
		{packaged(t), "a/b", "it has no Chart.yaml"},
		{packaged(t, file{name: "fleet/Chart.yaml", content: []byte("name: fleet\n")}), "a/b",
			"no name or no version in Chart.yaml"},
		{packaged(t, file{name: "fleet/Chart.yaml", content: []byte("name: a\nname: b\n")}), "a/b", "in Chart.yaml: "},
		{good, "a:b:c", "REPOSITORY"},
		{good, "", "REPOSITORY"},
		{good, nowhere, "push of the chart to " + nowhere + "/fleet:1.2.3_build"},
	} {
		if err := run(t.Context(), []string{"push-chart", c.chart, c.repository}, io.Discard); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s to %q: got error %v, want %q in it", c.chart, c.repository, err, c.want)
		}
	}
}
