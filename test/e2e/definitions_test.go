package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/manifests/presets"
	"github.com/statefleet/statefleet/test/manifest"
)

// definitions names files with a project's CustomResourceDefinitions, in its Go module or in this folder.
type definitions struct {
	module, sum string // path@version, and its checksum as in go.sum; "" for this folder
	files       []string
}

// presetDefinitions returns the definitions of the kinds of each preset. Files of this folder, with the fields that the
// preset reads, replace a module that is larger than all others together and modules that some proxies lack.
func presetDefinitions() map[string][]definitions {
	return map[string][]definitions{
		"argo-cd": { // its module has 57 MB, and the definitions 2 MB
			{files: []string{"testdata/definitions/argo-cd.yaml"}},
		},
		"cert-manager": {{
			module: "github.com/cert-manager/cert-manager@v1.21.2", sum: "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=",
			files: []string{"deploy/crds/cert-manager.io_*.yaml", "deploy/crds/acme.cert-manager.io_challenges.yaml"},
		}},
		"cluster-api": {{
			module: "sigs.k8s.io/cluster-api@v1.14.2", sum: "h1:o3GFNaeNFAOEEMpDPfhCK+2CjmV6gtQ8yLEcUwCg7bA=",
			files: []string{
				"core/config/crd/bases/cluster.x-k8s.io_clusters.yaml", "core/config/crd/bases/cluster.x-k8s.io_machine[dhps]*.yaml",
				"controlplane/kubeadm/config/crd/bases/controlplane.cluster.x-k8s.io_kubeadmcontrolplanes.yaml",
			},
		}},
		"crossplane": {{
			module: "github.com/crossplane/crossplane/v2@v2.1.0", sum: "h1:7RFel1CeIWQytwtHz1st7lZiycYXUIcS0LkaetCJa4Q=",
			files: []string{
				"cluster/crds/pkg.crossplane.io_providers.yaml", "cluster/crds/pkg.crossplane.io_configurations.yaml",
				"cluster/crds/pkg.crossplane.io_functions.yaml", "cluster/crds/apiextensions.crossplane.io_compositeresourcedefinitions.yaml",
			},
		}},
		"flux": {
			{
				module: "github.com/fluxcd/source-controller@v1.10.1", sum: "h1:vkYpgpLZu20LQ2UN4lPBdWH7sqTNdQ8FjcZD/HogN2E=",
				files: []string{"config/crd/bases/*.yaml"},
			},
			{
				module: "github.com/fluxcd/kustomize-controller@v1.10.1", sum: "h1:IjTnrkIy0ULJoTNC2ZKuMb32vkqj7dJ6zt6UqbTFxKA=",
				files: []string{"config/crd/bases/*.yaml"},
			},
			{
				module: "github.com/fluxcd/helm-controller@v1.4.0", sum: "h1:rkm8rmB6Na7eNc4pJOnvtXEaJ19iKluRtayHKjBxcUM=",
				files: []string{"config/crd/bases/*.yaml"},
			},
			// For the notification and image controllers, whose modules some proxies lack.
			{files: []string{"testdata/definitions/flux.yaml"}},
		},
		"gateway-api": {{
			module: "sigs.k8s.io/gateway-api@v1.7.0", sum: "h1:duVnm7nO6oXfMMUWfcDoBph47CYR/ME3NGxccOVglaY=",
			files: []string{"config/crd/standard/*routes.yaml", "config/crd/standard/*gateway*s.yaml", "config/crd/standard/*backendtls*.yaml"},
		}},
		"jobset": {{
			module: "sigs.k8s.io/jobset@v0.10.1", sum: "h1:u8QKifNsrWVrlRFe6w2ofYTqFT9ma2DRHxfeB2m9xyU=",
			files: []string{"config/components/crd/bases/*.yaml"},
		}},
		"karpenter": {{
			module: "sigs.k8s.io/karpenter@v1.15.0", sum: "h1:5SEptlAvsOZbNg4qg8OSdF1qi6BEZHZLA020nXY7jGw=",
			files: []string{"pkg/apis/crds/karpenter.sh_nodepools.yaml", "pkg/apis/crds/karpenter.sh_nodeclaims.yaml"},
		}},
		"keda": {{
			module: "github.com/kedacore/keda/v2@v2.21.0", sum: "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
			files: []string{"config/crd/bases/keda.sh_scaled*.yaml"},
		}},
		"knative-serving": {{
			module: "knative.dev/serving@v0.51.0", sum: "h1:yN2Q7eYqJgoPfZkATjoBZyGbZ2P1Qhns9HIMU4mF+to=",
			files: []string{
				"config/core/300-resources/service.yaml", "config/core/300-resources/route.yaml",
				"config/core/300-resources/revision.yaml", "config/core/300-resources/domain-mapping.yaml",
			},
		}},
		"kyverno-reports": {
			{
				module: "github.com/kyverno/kyverno@v1.19.1", sum: "h1:/MkgFii3/VlQfKR1JpC9tVwNNVNQTt2S4U6qCsafsTU=",
				files: []string{"config/crds/policyreport/*.yaml"},
			},
			{
				module: "github.com/openreports/reports-api@v0.2.1", sum: "h1:g9KS3yle9Y1elmww4TK9EkD1rl6inIaiIJPX6e+u680=",
				files: []string{"config/crd/*.yaml"},
			},
		},
		"vertical-pod-autoscaler": {{
			module: "k8s.io/autoscaler/vertical-pod-autoscaler@v1.8.1", sum: "h1:Pe8bV1wozN4gOKO1rleiIY5alIyAXN+DnXDbXQcL4fI=",
			files: []string{"deploy/vpa-v1-crd-gen.yaml"},
		}},
		"volume-snapshot": {{
			module: "github.com/kubernetes-csi/external-snapshotter/client/v8@v8.7.0", sum: "h1:HVaSUeRRHPu49aSiL8eXOjS9Re9G6pM0NzdTGI7mM14=",
			files: []string{"config/crd/snapshot.storage.k8s.io_*.yaml"},
		}},
	}
}

// TestDefinitionsOfPresetsAreDocumented checks that each preset has definitions, and that docs/configuration.md names
// their modules.
func TestDefinitionsOfPresetsAreDocumented(t *testing.T) {
	root, err := fleet.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs/configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range presets.Names() {
		if len(presetDefinitions()[name]) == 0 {
			t.Errorf("%s has no definitions", name)
		}
		for _, d := range presetDefinitions()[name] {
			if !strings.Contains(string(text), d.module) {
				t.Errorf("docs/configuration.md does not name %s", d.module)
			}
		}
	}
}

// read returns the objects of the files.
func (d definitions) read(t *testing.T) (all []*unstructured.Unstructured) {
	t.Helper()
	folder := os.DirFS(".")
	if d.module != "" {
		folder = d.download(t)
	}
	for _, pattern := range d.files {
		names, err := fs.Glob(folder, pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: no file matches %s: %v", d.module, pattern, err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(folder, name)
			if err != nil {
				t.Fatal(err)
			}
			objects, err := manifest.Decode(bytes.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, objects...)
		}
	}
	return all
}

// unreachable matches the go command's errors for a proxy that cannot be reached or does not provide a module.
var unreachable = regexp.MustCompile(`dial tcp|no such host|i/o timeout|proxyconnect|GOPROXY=off|403 Forbidden`)

// download has the go command download the module, and returns the files of the module's archive. It reads the archive
// because the go command does not unpack a module that requires a newer Go version. The test is skipped if the proxy
// does not provide the module.
func (d definitions) download(t *testing.T) fs.FS {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", d.module)
	cmd.Dir = t.TempDir() // outside of this repository's modules, which do not need the module
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, _ := cmd.Output() // out contains the error
	var module struct{ Zip, Sum, Error string }
	switch err := json.Unmarshal(out, &module); {
	case err != nil:
		t.Fatalf("go mod download %s: %v: %s", d.module, err, out)
	case unreachable.MatchString(module.Error):
		t.Skipf("NOT TESTED: the definitions cannot be downloaded: %s", module.Error)
	case module.Zip == "" || module.Sum != d.sum:
		t.Fatalf("go mod download %s: checksum %q, want %s: %s", d.module, module.Sum, d.sum, module.Error)
	}
	archive, err := zip.OpenReader(module.Zip)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = archive.Close() })
	files, err := fs.Sub(archive, d.module)
	if err != nil {
		t.Fatal(err)
	}
	return files
}
