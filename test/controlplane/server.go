package controlplane

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/client-go/util/keyutil"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// Version is the version that the API server reports.
const Version = "v1.37.2"

// Files in the folder of an API server.
const (
	CAFile     = "certs/apiserver.crt" // its self-signed certificate, which it creates when it starts
	KeyFile    = "service-account.key" // signs service account tokens
	tokensFile = "tokens.csv"
)

const issuer = "https://localhost" // of service account tokens

// Ports are the TCP ports of an API server and its etcd.
type Ports struct{ Secure, Etcd, Peer int }

// Build compiles the program with the parts of a control plane, and returns the path of the binary.
func Build() (string, error) {
	return fleet.Build("test/cmd/controlplane", "-ldflags=-X k8s.io/component-base/version.gitVersion="+Version)
}

// WriteSecrets writes the files that the API server reads at its start: the key that signs service account tokens, the
// token of the administrator, and the further lines of a static token file.
func WriteSecrets(dir, adminToken, further string) error {
	_, _, err := keyutil.LoadOrGenerateKeyFile(filepath.Join(dir, KeyFile))
	tokens := adminToken + ",admin,admin,system:masters\n" + further
	return errors.Join(err, os.WriteFile(filepath.Join(dir, tokensFile), []byte(tokens), 0o600))
}

// ServerArgs returns the arguments with which the program runs an API server and its etcd. Their files are in dir.
func ServerArgs(dir string, ports Ports) []string {
	path := func(name string) string { return filepath.Join(dir, name) }
	return []string{
		"apiserver", path("etcd"), strconv.Itoa(ports.Etcd), strconv.Itoa(ports.Peer),
		"--secure-port=" + strconv.Itoa(ports.Secure),
		"--cert-dir=" + filepath.Dir(path(CAFile)),
		"--service-account-issuer=" + issuer,
		"--service-account-key-file=" + path(KeyFile),
		"--service-account-signing-key-file=" + path(KeyFile),
		"--service-cluster-ip-range=10.0.0.0/16",
		"--token-auth-file=" + path(tokensFile),
	}
}
