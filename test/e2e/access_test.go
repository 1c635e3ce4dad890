package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/seed"
)

// aForbiddenKindIsNamed runs a replica without the right to read one kind, and grants that right later.
func (w *world) aForbiddenKindIsNamed(t *testing.T) {
	const withheld = "cronjobs"
	role := w.roleWithout(t, withheld)
	token := w.cluster.BoundToken(t, namespace, "restricted", role)
	replica := fleet.Start(t, "--kubeconfig="+w.cluster.Kubeconfig(t, token))
	replica.WaitReady(t)
	metrics := replica.Scrape(t)
	for _, kind := range seed.Kinds() {
		found, want := len(objects(metrics, kind.Resource)), w.count(t, kind.Resource)
		if kind.Resource == withheld {
			want = 0
		}
		if found != want {
			t.Errorf("%s: got %d objects in the exposition, want %d", kind.Resource, found, want)
		}
	}
	if !slices.ContainsFunc(strings.Split(replica.Log(), "\n"), func(line string) bool {
		return strings.Contains(line, withheld) && strings.Contains(line, "forbidden")
	}) {
		t.Errorf("no log line names %s as forbidden", withheld)
	}
	self, err := replica.SelfMetrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if value, n := self.Sum(selfmetrics.ResourcePhase, map[string]string{"resource": withheld, "phase": "forbidden"}); value != 1 || n != 1 {
		t.Errorf("%s of %s: got %v in %d samples, want 1 in 1 sample", selfmetrics.ResourcePhase, withheld, value, n)
	}

	w.cluster.BoundToken(t, namespace, "restricted", account)
	fleet.Eventually(t, "the kind is exposed once it is allowed", func(ctx context.Context) error {
		metrics, err := replica.Metrics(ctx)
		if err == nil && len(objects(metrics, withheld)) == 0 {
			err = errors.New("no object of the kind is exposed")
		}
		return err
	})
}

// roleWithout creates a copy of the manifests' ClusterRole without one resource, and returns its name.
func (w *world) roleWithout(t *testing.T, resource string) string {
	t.Helper()
	roles := w.cluster.Client().RbacV1().ClusterRoles()
	full, err := roles.Get(t.Context(), account, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-without-%s", account, resource)}}
	for _, rule := range full.Rules {
		rule.Resources = slices.DeleteFunc(rule.Resources, func(r string) bool { return r == resource })
		role.Rules = append(role.Rules, rule)
	}
	if _, err := roles.Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return role.Name
}
