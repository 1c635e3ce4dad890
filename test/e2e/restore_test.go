package e2e

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
)

// TestRestoredBackup takes a cluster back to what it was. Versions go back with it, and no watch says so.
func TestRestoredBackup(t *testing.T) {
	if _, err := fleet.Build(); err != nil {
		t.Fatal(err)
	}
	cluster := controlplane.Start(t, controlplane.Options{})
	token := cluster.BoundToken(t, "ordeals", "reader", "cluster-admin")
	client := cluster.Client().CoreV1().ConfigMaps("ordeals")
	put := func(name, step string, create bool) {
		t.Helper()
		o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"step": step}}}
		var err error
		if create {
			_, err = client.Create(t.Context(), o, metav1.CreateOptions{})
		} else {
			_, err = client.Update(t.Context(), o, metav1.UpdateOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("changed", "1", true)
	put("deleted", "1", true)
	restore := cluster.Backup(t)

	replica := fleet.Start(t, "--kubeconfig="+cluster.Kubeconfig(t, token), "--namespaces=ordeals", "--resources=configmaps,pods",
		"--metric-labels-allowlist=configmaps=[step]", "--consistency.check-interval=3s")
	replica.WaitReady(t)
	shows := func(what string, want map[string]string) {
		t.Helper()
		fleet.Eventually(t, what, func(ctx context.Context) error {
			page, err := replica.Page(ctx)
			if err != nil {
				return err
			}
			got := map[string]string{}
			for family, labels := range page.Labels {
				if family == "kube_configmap_labels" {
					got[labels["configmap"]] = labels["label_step"]
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				return fmt.Errorf("%v, want %v", got, want)
			}
			return nil
		})
	}
	for i := range 50 {
		put("changed", fmt.Sprint(2+i), false)
	}
	put("created", "1", true)
	if err := client.Delete(t.Context(), "deleted", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	shows("what there is", map[string]string{"changed": "51", "created": "1"})
	restore()
	shows("what there was", map[string]string{"changed": "1", "deleted": "1"})
	put("changed", "again", false)
	shows("a change", map[string]string{"changed": "again", "deleted": "1"})
}
