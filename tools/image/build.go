package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	binaryFile = "statefleet"
	sbomFile   = "sbom.json"
	sbomType   = types.MediaType("application/vnd.cyclonedx+json")
)

// options describe one version of the image.
type options struct {
	version, revision string
	created           time.Time
	inputs            []input
}

// input is a folder with the contents of the image for one architecture.
type input struct{ arch, dir string }

// labels returns the labels of the image, as specified for org.opencontainers.image.
func (o options) labels() map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title":       "statefleet",
		prefix + "description": "Kubernetes object state as Prometheus metrics, from a fleet of shards",
		prefix + "licenses":    "Apache-2.0",
		prefix + "source":      "https://github.com/statefleet/statefleet",
		prefix + "version":     o.version,
		prefix + "revision":    o.revision,
	}
}

// file is a file of a layer.
type file struct {
	name    string
	mode    int64
	content []byte
}

// image returns the image of one architecture.
func (o options) image(in input) (v1.Image, error) {
	binary, err := os.ReadFile(filepath.Join(in.dir, binaryFile))
	if err != nil {
		return nil, err
	}
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	for _, f := range []file{
		{"etc/ssl/certs/ca-certificates.crt", 0o644, rootCertificates()},
		{binaryFile, 0o755, binary},
	} {
		layer, err := o.layer(f)
		if err != nil {
			return nil, err
		}
		added := mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: o.created}, CreatedBy: "COPY " + f.name}}
		if image, err = mutate.Append(image, added); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Architecture, config.OS, config.Created = in.arch, "linux", v1.Time{Time: o.created}
	config.Config = v1.Config{
		User:         "65534:65534",
		Entrypoint:   []string{"/" + binaryFile},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}},
		Labels:       o.labels(),
		WorkingDir:   "/",
	}
	return mutate.ConfigFile(image, config)
}

// layer returns a layer with one file and its parent folders.
func (o options) layer(f file) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	header := func(name string, kind byte, mode, size int64) error {
		return w.WriteHeader(&tar.Header{Name: name, Typeflag: kind, Mode: mode, Size: size, ModTime: o.created, Format: tar.FormatPAX})
	}
	for at, c := range f.name {
		if c == '/' {
			if err := header(f.name[:at+1], tar.TypeDir, 0o755, 0); err != nil {
				return nil, err
			}
		}
	}
	if err := header(f.name, tar.TypeReg, f.mode, int64(len(f.content))); err != nil {
		return nil, err
	}
	if _, err := w.Write(f.content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}

// rootCertificates returns Mozilla's root certificates in PEM. It omits constrained roots, because PEM cannot express
// the constraints.
func rootCertificates() []byte {
	var all bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			all.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return all.Bytes()
}

// sbom returns the SBOM of an image as an artifact that refers to the image.
func sbom(in input, subject v1.Image) (v1.Image, error) {
	content, err := os.ReadFile(filepath.Join(in.dir, sbomFile))
	if err != nil {
		return nil, err
	}
	artifact := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	artifact = mutate.ConfigMediaType(artifact, sbomType)
	artifact, err = mutate.AppendLayers(artifact, static.NewLayer(content, sbomType))
	if err != nil {
		return nil, err
	}
	of, err := partial.Descriptor(subject)
	if err != nil {
		return nil, err
	}
	return mutate.Subject(artifact, *of).(v1.Image), nil // of the type of the artifact
}

// artifacts are the results of a build.
type artifacts struct {
	index  v1.ImageIndex
	images map[string]v1.Image // by architecture
	sboms  []v1.Image
}

func (o options) build() (a artifacts, err error) {
	a.index = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	a.images = map[string]v1.Image{}
	for _, in := range o.inputs {
		image, err := o.image(in)
		if err != nil {
			return a, fmt.Errorf("image for %s: %w", in.arch, err)
		}
		artifact, err := sbom(in, image)
		if err != nil {
			return a, fmt.Errorf("SBOM for %s: %w", in.arch, err)
		}
		a.images[in.arch], a.sboms = image, append(a.sboms, artifact)
		a.index = mutate.AppendManifests(a.index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: in.arch}},
		})
	}
	a.index = mutate.Annotations(a.index, o.labels()).(v1.ImageIndex) // of the type of the index
	return a, nil
}
