package e2e

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
)

// TestRestoredBackup restores etcd from a backup under a running replica. Resource versions go back, and no watch
// reports it: neither the watches of objects nor those of CustomResourceDefinitions and selected namespaces.
func TestRestoredBackup(t *testing.T) {
	if _, err := fleet.Build(); err != nil {
		t.Fatal(err)
	}
	cluster := controlplane.Start(t, controlplane.Options{})
	token := cluster.BoundToken(t, "ordeals", "reader", "cluster-admin")
	core := cluster.Client().CoreV1()
	client := core.ConfigMaps("ordeals")
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
	selectNamespace(t, core, "ordeals", true)
	selectNamespace(t, core, "elsewhere", true)
	if _, err := core.ConfigMaps("elsewhere").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "selected"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	removeGadgets := installGadget(t, core.RESTClient(), "ordeals")
	restore := cluster.Backup(t)

	replica := fleet.Start(t, "--kubeconfig="+cluster.Kubeconfig(t, token), "--namespaces-selector=team=a", "--resources=configmaps,pods",
		"--metric-labels-allowlist=configmaps=[step]", "--consistency.check-interval=3s", "--custom-resource-state-config="+gadgetMetrics)
	replica.WaitReady(t)
	shows := func(what string, want map[string]string) {
		t.Helper()
		fleet.Eventually(t, what, func(ctx context.Context) error {
			metrics, err := replica.Metrics(ctx)
			if err != nil {
				return err
			}
			got := map[string]string{}
			for family, labels := range metrics.Labels {
				switch family {
				case "kube_configmap_labels":
					got[labels["configmap"]] = labels["label_step"]
				case "gadget_size":
					got["gadget"] = labels["name"]
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				return fmt.Errorf("got %v, want %v", got, want)
			}
			return nil
		})
	}
	shows("the backed-up state is exposed", map[string]string{"changed": "1", "deleted": "1", "selected": "", "gadget": "g"})
	for i := range 50 {
		put("changed", fmt.Sprint(2+i), false)
	}
	put("created", "1", true)
	if err := client.Delete(t.Context(), "deleted", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	selectNamespace(t, core, "elsewhere", false)
	removeGadgets()
	shows("the changed state is exposed", map[string]string{"changed": "51", "created": "1"})
	restore()
	shows("the restored state is exposed", map[string]string{"changed": "1", "deleted": "1", "selected": "", "gadget": "g"})
	put("changed", "again", false)
	selectNamespace(t, core, "elsewhere", false)
	removeGadgets()
	shows("changes after the restore are exposed", map[string]string{"changed": "again", "deleted": "1"})
}

// selectNamespace creates or updates a namespace with the label that the replica selects, or without it.
func selectNamespace(t *testing.T, core typedcorev1.CoreV1Interface, name string, selected bool) {
	t.Helper()
	o := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if selected {
		o.Labels = map[string]string{"team": "a"}
	}
	_, err := core.Namespaces().Update(t.Context(), o, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = core.Namespaces().Create(t.Context(), o, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}
