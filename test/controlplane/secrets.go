package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

const (
	privateKeyFile = "service-account.key"
	publicKeyFile  = "service-account.pub"
	tokensFile     = "tokens.csv"
)

// writeSecrets writes the files that the API server reads at its start: the key that signs service account tokens, and
// the token of the administrator.
func (c *Cluster) writeSecrets() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	c.adminToken = rand.Text()
	return writeFiles(map[string][]byte{
		c.path(privateKeyFile): pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		c.path(publicKeyFile):  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		c.path(tokensFile):     fmt.Appendf(nil, "%s,admin,admin,system:masters\n", c.adminToken),
	})
}

func writeFiles(files map[string][]byte) error {
	for path, content := range files {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
