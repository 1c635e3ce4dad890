package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// inputs returns folders with fake binaries and SBOMs.
func inputs(t *testing.T) (all []input) {
	t.Helper()
	for _, arch := range []string{"amd64", "arm64"} {
		dir := t.TempDir()
		for name, text := range map[string]string{binaryFile: "binary for " + arch, sbomFile: `{"arch": "` + arch + `"}`} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, input{arch, dir})
	}
	return all
}

// built builds an image from inputs, and returns its folder and the output.
func built(t *testing.T, from []input) (dir, printed string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "image")
	args := []string{"build", "--version=v1.2.3", "--revision=abc", "--created=1767225600", "--output=" + dir}
	for _, in := range from {
		args = append(args, in.arch+"="+in.dir)
	}
	var out bytes.Buffer
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	return dir, out.String()
}

func TestSameInputGivesTheSameBytes(t *testing.T) {
	from := inputs(t)
	first, printed := built(t, from)
	time.Sleep(1100 * time.Millisecond) // a build time in the image would have a resolution of a second or better
	second, again := built(t, from)
	if printed != again || strings.Count(printed, "sha256:") != 5 {
		t.Errorf("got output %q and then %q, want the same 5 digests", printed, again)
	}
	if a, b := contents(t, first), contents(t, second); !maps.Equal(a, b) || len(a) < 10 {
		t.Errorf("got %d files and then %d, which differ; want the same files", len(a), len(b))
	}
}

// contents returns the contents of all files in a folder by path.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// files returns the modes of all files in an image by path, without folders.
func files(t *testing.T, image v1.Image) map[string]int64 {
	t.Helper()
	archive := mutate.Extract(image)
	defer func() { _ = archive.Close() }()
	all := map[string]int64{}
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeDir {
			all["/"+h.Name] = h.Mode
		}
	}
}

// TestImageMatchesTheDockerfile checks that files, user, entry point, ports and labels match the Dockerfile.
func TestImageMatchesTheDockerfile(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, _ := strings.Cut(string(text), "\nFROM scratch\n")
	last = strings.ReplaceAll(last, "\\\n", " ")
	all := func(pattern string) (found []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(last, -1) {
			found = append(found, m[1])
		}
		slices.Sort(found)
		return found
	}
	o := options{version: "v1.2.3", revision: "abc", inputs: inputs(t)}
	a, err := o.build()
	if err != nil {
		t.Fatal(err)
	}
	image := a.images["arm64"]
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config
	var copied []string
	for _, to := range all(`(?m)^COPY .* (\S+)$`) {
		if strings.HasSuffix(to, "/") {
			to += "ca-certificates.crt"
		}
		copied = append(copied, to)
	}
	if got := slices.Sorted(maps.Keys(files(t, image))); !slices.Equal(got, copied) || len(got) != 2 {
		t.Errorf("got files %q, want those of the Dockerfile: %q", got, copied)
	}
	if want := all(`(?m)^USER (\S+)$`); !slices.Equal(want, []string{c.User}) {
		t.Errorf("got user %q, want that of the Dockerfile: %q", c.User, want)
	}
	if want := all(`(?m)^ENTRYPOINT \["(\S+)"\]$`); !slices.Equal(want, c.Entrypoint) || len(c.Cmd) > 0 {
		t.Errorf("got entry point %q, want that of the Dockerfile: %q", c.Entrypoint, want)
	}
	var ports []string
	for _, p := range strings.Fields(strings.Join(all(`(?m)^EXPOSE (.+)$`), " ")) {
		ports = append(ports, p+"/tcp")
	}
	if got := slices.Sorted(maps.Keys(c.ExposedPorts)); !slices.Equal(got, ports) {
		t.Errorf("got ports %q, want those of the Dockerfile: %q", got, ports)
	}
	labels := map[string]string{}
	for _, m := range regexp.MustCompile(`(org\.opencontainers\.image\.\w+)="([^"]*)"`).FindAllStringSubmatch(last, -1) {
		labels[m[1]] = strings.NewReplacer("${VERSION}", "v1.2.3", "${REVISION}", "abc").Replace(m[2])
	}
	if !maps.Equal(labels, c.Labels) || len(labels) != 6 {
		t.Errorf("got labels %q, want those of the Dockerfile: %q", c.Labels, labels)
	}
	if config.Architecture != "arm64" || config.OS != "linux" {
		t.Errorf("got platform %s/%s, want linux/arm64", config.OS, config.Architecture)
	}
	if mode := files(t, image)["/statefleet"]; mode != 0o755 {
		t.Errorf("got mode %o of the binary, want 755", mode)
	}
	if n := bytes.Count(rootCertificates(), []byte("BEGIN CERTIFICATE")); n < 100 {
		t.Errorf("got %d root certificates, want at least 100", n)
	}
}

func TestPushedImageHasItsTagAndSBOMs(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	defer server.Close()
	dir, _ := built(t, inputs(t))
	repository := strings.TrimPrefix(server.URL, "http://") + "/team/statefleet"
	var out bytes.Buffer
	if err := run(t.Context(), []string{"push", dir, repository}, &out); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(repository + ":v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(tag)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 2 || manifest.Manifests[1].Platform.Architecture != "arm64" {
		t.Fatalf("got index %+v, error %v; want images for 2 architectures", manifest, err)
	}
	digest, err := index.Digest()
	if err != nil || out.String() != tag.String()+"@"+digest.String()+"\n" {
		t.Errorf("got output %q, error %v; want the tag with its digest", out.String(), err)
	}
	for _, m := range manifest.Manifests {
		referring, err := remote.Referrers(tag.Digest(m.Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		referrers, err := referring.IndexManifest()
		if err != nil || len(referrers.Manifests) != 1 || referrers.Manifests[0].ArtifactType != string(sbomType) {
			t.Errorf("%s: got referrers %+v, error %v; want one SBOM", m.Platform, referrers, err)
		}
	}
}

// TestRefusedPushLeavesNoTag uses registries that refuse requests after each possible number of writes.
func TestRefusedPushLeavesNoTag(t *testing.T) {
	dir, _ := built(t, inputs(t))
	accepts := func(writes int) (tags []string, err error) {
		inner, n := registry.New(registry.Logger(log.New(io.Discard, "", 0))), 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut || r.Method == http.MethodPost || r.Method == http.MethodPatch {
				if n++; n > writes {
					http.Error(w, `{"errors": [{"code": "DENIED", "message": "not yours"}]}`, http.StatusForbidden)
					return
				}
			}
			inner.ServeHTTP(w, r)
		}))
		defer server.Close()
		repository := strings.TrimPrefix(server.URL, "http://") + "/a"
		err = run(t.Context(), []string{"push", dir, repository}, io.Discard)
		repo, parseErr := name.NewRepository(repository)
		if parseErr != nil {
			t.Fatal(parseErr)
		}
		list, _ := remote.List(repo)
		return slices.DeleteFunc(list, func(tag string) bool { return strings.HasPrefix(tag, "sha256") }), err
	}
	refusals := 0
	for writes := range 100 {
		tags, err := accepts(writes)
		if err == nil {
			if len(tags) != 1 {
				t.Errorf("got tags %q after a push, want one", tags)
			}
			break
		}
		refusals++
		if len(tags) != 0 || !strings.Contains(err.Error(), "not yours") || !strings.HasPrefix(err.Error(), "push of ") {
			t.Errorf("after %d writes: got tags %q, error %v; want no tag and the error of the registry", writes, tags, err)
		}
	}
	if refusals < 10 || refusals > 90 {
		t.Errorf("got %d refused pushes, want 10 to 90", refusals)
	}
}

func TestErrorsNameTheStep(t *testing.T) {
	dir, _ := built(t, inputs(t))
	unreachable := httptest.NewServer(nil)
	unreachable.Close()
	nowhere := strings.TrimPrefix(unreachable.URL, "http://") + "/a"
	for _, c := range []struct {
		args  []string
		usage bool
		want  string
	}{
		{nil, true, "want"},
		{[]string{"build"}, true, "is required"},
		{[]string{"build", "--nothing"}, true, "nothing"},
		{[]string{"build", "--version=v1", "--revision=a", "--output=b"}, true, "no architecture"},
		{[]string{"build", "--version=v1", "--revision=a", "--output=b", "s390x=c"}, true, `unknown architecture "s390x": want amd64 or arm64`},
		{[]string{"build", "--version=v1", "--revision=a", "--output=b", "amd64"}, true, "want ARCH=DIR"},
		{[]string{"build", "--version=v1", "--revision=a", "--output=b", "amd64=" + t.TempDir()}, false, "image for amd64"},
		{[]string{"push", dir, ""}, true, "REPOSITORY"},
		{[]string{"push", dir, "a:b:c"}, true, "REPOSITORY"},
		{[]string{"push", t.TempDir(), "a/b"}, false, "build it first"},
		{[]string{"push", dir, nowhere}, false, "push of the image to " + nowhere},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := run(ctx, c.args, io.Discard)
		cancel()
		_, usage := errors.AsType[usageError](err)
		if err == nil || usage != c.usage || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got error %v, usage error: %t; want %q in it, %t", c.args, err, usage, c.want, c.usage)
		}
	}
}
