package controlplane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/keyutil"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// Kubeconfig writes a kubeconfig with a token and returns its path. The file is removed after the test.
func (c *Cluster) Kubeconfig(t testing.TB, token string) string {
	t.Helper()
	return c.KubeconfigVia(t, token, c.Address())
}

// KubeconfigVia is Kubeconfig for a client that reaches the API server at another address (host and port) on loopback.
func (c *Cluster) KubeconfigVia(t testing.TB, token, address string) string {
	t.Helper()
	ca, err := os.ReadFile(c.path(CAFile))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := fleet.WriteKubeconfig(path, "https://"+address, ca, token); err != nil {
		t.Fatal(err)
	}
	return path
}

// Token requests a token of an existing service account from the API server (TokenRequest API). It is valid for an
// hour.
func (c *Cluster) Token(t testing.TB, namespace, account string) string {
	t.Helper()
	request, err := c.Client().CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), account,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("token for service account %s/%s: %v", namespace, account, err)
	}
	return request.Status.Token
}

// SignedToken returns a token of an existing service account that is valid until the given time. The API server itself
// issues no token that expires within ten minutes or has expired.
func (c *Cluster) SignedToken(t testing.TB, namespace, account string, until time.Time) string {
	t.Helper()
	known, err := c.Client().CoreV1().ServiceAccounts(namespace).Get(t.Context(), account, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyutil.PrivateKeyFromFile(c.path(KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	began := jwt.NewNumericDate(until.Add(-time.Hour))
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": issuer, "aud": []string{issuer}, "sub": "system:serviceaccount:" + namespace + ":" + account,
		"iat": began, "nbf": began, "exp": jwt.NewNumericDate(until),
		"kubernetes.io": map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": account, "uid": known.UID}},
	}).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// BoundToken binds a service account to a ClusterRole, and returns a token of the account. It creates the namespace and
// the account if they do not exist.
func (c *Cluster) BoundToken(t testing.TB, namespace, account, clusterRole string) string {
	t.Helper()
	if err := c.bind(t.Context(), namespace, account, clusterRole); err != nil {
		t.Fatalf("binding service account %s/%s to ClusterRole %s: %v", namespace, account, clusterRole, err)
	}
	return c.Token(t, namespace, account)
}

func (c *Cluster) bind(ctx context.Context, namespace, account, clusterRole string) error {
	client := c.Client()
	_, err := client.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	_, err = client.CoreV1().ServiceAccounts(namespace).Create(ctx,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	_, err = client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%s-%s", namespace, account, clusterRole)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account}},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
