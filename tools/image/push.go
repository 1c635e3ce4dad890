package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// push pushes a build to a repository, with the version as its tag and the credentials that "docker login" has stored.
// It pushes the tag last, so that a failed push leaves no tag.
func push(ctx context.Context, output, repository string, stdout io.Writer) error {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return usageError{fmt.Errorf("REPOSITORY: want a name such as registry.example.org/team/statefleet, without a tag: %w", err)}
	}
	index, version, sboms, err := readLayout(filepath.Join(output, layoutDir))
	if err != nil {
		return fmt.Errorf("no image to push; build it first: %w", err)
	}
	auth := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	if err := remote.WriteIndex(repo.Digest(digest.String()), index, auth...); err != nil {
		return fmt.Errorf("push of the image to %s: %w", repo, err)
	}
	for _, artifact := range sboms {
		digest, err := artifact.Digest()
		if err != nil {
			return err
		}
		if err := remote.Write(repo.Digest(digest.String()), artifact, auth...); err != nil {
			return fmt.Errorf("push of an SBOM to %s: %w", repo, err)
		}
	}
	tag := repo.Tag(version)
	if err := remote.Tag(tag, index, auth...); err != nil {
		return fmt.Errorf("push of the tag %s: %w", tag, err)
	}
	_, err = fmt.Fprintf(stdout, "%s@%s\n", tag, digest)
	return err
}

// readLayout returns the index of all architectures, its version, and the SBOMs.
func readLayout(path string) (index v1.ImageIndex, version string, sboms []v1.Image, err error) {
	all, err := layout.ImageIndexFromPath(path)
	if err != nil {
		return nil, "", nil, err
	}
	manifest, err := all.IndexManifest()
	if err != nil {
		return nil, "", nil, err
	}
	for _, m := range manifest.Manifests {
		if m.MediaType.IsIndex() {
			version = m.Annotations[versionAnnotation]
			index, err = all.ImageIndex(m.Digest)
		} else {
			var artifact v1.Image
			artifact, err = all.Image(m.Digest)
			sboms = append(sboms, artifact)
		}
		if err != nil {
			return nil, "", nil, err
		}
	}
	if index == nil || version == "" {
		return nil, "", nil, errors.New(path + " has no index with a version")
	}
	return index, version, sboms, nil
}
