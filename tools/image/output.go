package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// layoutDir is the folder of the OCI layout below the output folder.
const layoutDir = "oci"

// versionAnnotation is the annotation with the tag of the index in the layout.
const versionAnnotation = "org.opencontainers.image.ref.name"

// write builds the image and writes the layout, the archives and the digests. It replaces the output of an earlier
// build.
func write(o options, output string, stdout io.Writer) error {
	built, err := o.build()
	if err != nil {
		return err
	}
	if err := os.RemoveAll(output); err != nil {
		return err
	}
	if err := os.MkdirAll(output, 0o755); err != nil {
		return err
	}
	if err := writeLayout(o, built, filepath.Join(output, layoutDir)); err != nil {
		return fmt.Errorf("OCI layout: %w", err)
	}
	digest, err := built.index.Digest()
	if err != nil {
		return err
	}
	lines := []string{fmt.Sprintf("%s  index of all architectures", digest)}
	tag, err := name.NewTag("statefleet:" + o.version)
	if err != nil {
		return usageError{fmt.Errorf("--version: %w", err)}
	}
	for _, arch := range slices.Sorted(maps.Keys(built.images)) {
		image := built.images[arch]
		path := filepath.Join(output, "statefleet-"+o.version+".linux-"+arch+".tar")
		if err := tarball.WriteToFile(path, tag, image); err != nil {
			return fmt.Errorf("archive for docker load: %w", err)
		}
		digest, err := image.Digest()
		if err != nil {
			return err
		}
		archive, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%s  image for linux/%s", digest, arch),
			fmt.Sprintf("sha256:%x  %s", sha256.Sum256(archive), filepath.Base(path)))
	}
	text := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(output, "digests.txt"), []byte(text), 0o644); err != nil {
		return err
	}
	_, err = io.WriteString(stdout, text)
	return err
}

func writeLayout(o options, built artifacts, path string) error {
	to, err := layout.Write(path, empty.Index)
	if err != nil {
		return err
	}
	errs := []error{to.AppendIndex(built.index, layout.WithAnnotations(map[string]string{versionAnnotation: o.version}))}
	for _, artifact := range built.sboms {
		errs = append(errs, to.AppendImage(artifact))
	}
	return errors.Join(errs...)
}
