package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"sigs.k8s.io/yaml"
)

// The media types of a Helm chart in a registry.
const (
	chartConfigType  = types.MediaType("application/vnd.cncf.helm.config.v1+json")
	chartContentType = types.MediaType("application/vnd.cncf.helm.chart.content.v1.tar+gzip")
)

// pushChart pushes a packaged chart as "helm push" does: it appends the name of the chart to the repository, and uses
// its version as the tag. It does not append the name if the repository ends with it.
func pushChart(ctx context.Context, file, repository string, stdout io.Writer) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("no chart to push; package it first: %w", err)
	}
	chart, err := chartMetadata(content)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	repo, err := name.NewRepository(strings.TrimPrefix(repository, "oci://"))
	if err != nil {
		return usageError{fmt.Errorf("REPOSITORY: want a name such as registry.example.org/team/charts, without a tag: %w",
			err)}
	}
	if path.Base(repo.RepositoryStr()) != chart.Name {
		repo = repo.Repo(repo.RepositoryStr(), chart.Name)
	}
	image, err := chart.artifact(content)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	tag := repo.Tag(strings.ReplaceAll(chart.Version, "+", "_")) // a tag cannot have a plus sign; Helm does the same
	if err := remote.Write(tag, image, remote.WithContext(ctx),
		remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("push of the chart to %s: %w", tag, err)
	}
	_, err = fmt.Fprintf(stdout, "oci://%s@%s\n", tag, digest)
	return err
}

// metadata is the content of a Chart.yaml.
type metadata struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	Description string   `json:"description"`
	Home        string   `json:"home"`
	Sources     []string `json:"sources"`
	config      []byte   // all of Chart.yaml as JSON
}

// chartMetadata reads the Chart.yaml of a packaged chart, which is in the only top-level folder.
func chartMetadata(content []byte) (m metadata, err error) {
	decompressed, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return m, fmt.Errorf("not a packaged chart: %w", err)
	}
	for r := tar.NewReader(decompressed); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return m, errors.New("not a packaged chart: it has no Chart.yaml")
		}
		if err != nil {
			return m, fmt.Errorf("not a packaged chart: %w", err)
		}
		if dir, base := path.Split(h.Name); base != "Chart.yaml" || strings.Count(dir, "/") != 1 {
			continue
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return m, err
		}
		if m.config, err = yaml.YAMLToJSONStrict(text); err != nil {
			return m, fmt.Errorf("in Chart.yaml: %w", err)
		}
		if err := json.Unmarshal(m.config, &m); err != nil {
			return m, fmt.Errorf("in Chart.yaml: %w", err)
		}
		if m.Name == "" || m.Version == "" {
			return m, errors.New("no name or no version in Chart.yaml")
		}
		return m, nil
	}
}

// artifact returns the chart as an OCI artifact, with its metadata as the configuration and its archive as the only
// layer. Unlike Helm, it does not add the time, so that the same chart has the same digest.
func (m metadata) artifact(content []byte) (v1.Image, error) {
	const prefix = "org.opencontainers.image."
	a := chartArtifact{config: m.config, layer: static.NewLayer(content, chartContentType)}
	manifest := v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Annotations: map[string]string{
			prefix + "title": m.Name, prefix + "version": m.Version, prefix + "description": m.Description,
			prefix + "url": m.Home,
		},
	}
	if len(m.Sources) > 0 {
		manifest.Annotations[prefix+"source"] = m.Sources[0]
	}
	config, err := partial.Descriptor(static.NewLayer(m.config, chartConfigType))
	if err != nil {
		return nil, err
	}
	layer, err := partial.Descriptor(a.layer)
	if err != nil {
		return nil, err
	}
	manifest.Config, manifest.Layers = *config, []v1.Descriptor{*layer}
	if a.manifest, err = json.Marshal(manifest); err != nil {
		return nil, err
	}
	return partial.CompressedToImage(a)
}

// chartArtifact is an artifact whose configuration is not that of an image. Package mutate does not support that.
type chartArtifact struct {
	config, manifest []byte
	layer            v1.Layer
}

func (a chartArtifact) RawConfigFile() ([]byte, error)                         { return a.config, nil }
func (a chartArtifact) RawManifest() ([]byte, error)                           { return a.manifest, nil }
func (a chartArtifact) MediaType() (types.MediaType, error)                    { return types.OCIManifestSchema1, nil }
func (a chartArtifact) LayerByDigest(v1.Hash) (partial.CompressedLayer, error) { return a.layer, nil }
