package simulator

import (
	"fmt"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

func (g *generator) makeConfig() {
	for i := range g.spec.ConfigMaps {
		w := g.app(i)
		g.put(&corev1.ConfigMap{
			ObjectMeta: g.meta(w.namespace, g.numbered(w, i), w.labels),
			Data: map[string]string{
				"config.yaml": strings.Repeat(fmt.Sprintf("%s:\n  endpoint: https://%s.svc:443\n  timeout: 5s\n", w.name, w.name), 2+i%12),
				"log.level":   "info",
			},
		})
	}
	for i := range g.spec.Secrets {
		w := g.app(i)
		token := make([]byte, 64+i%512)
		for j := range token {
			token[j] = byte(g.random.Uint32())
		}
		g.put(&corev1.Secret{
			ObjectMeta: g.meta(w.namespace, g.numbered(w, i), w.labels),
			Type:       pick(g, corev1.SecretTypeOpaque, corev1.SecretTypeTLS, corev1.SecretTypeDockerConfigJson),
			Data:       map[string][]byte{"token": token},
		})
	}
	for i := range g.spec.ServiceAccounts {
		w := g.app(i)
		g.put(&corev1.ServiceAccount{
			ObjectMeta:       g.meta(w.namespace, g.numbered(w, i), w.labels),
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "registry"}},
		})
	}
}

// makeAccess makes the objects of RBAC.
func (g *generator) makeAccess() {
	rules := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods", "configmaps"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get", "patch"}},
	}
	for i := range g.spec.ClusterRoles {
		g.put(&rbacv1.ClusterRole{ObjectMeta: g.meta("", fmt.Sprintf("cluster-%s-%d", appName(i), i), nil), Rules: rules})
	}
	for i := range g.spec.ClusterRoleBindings {
		name := fmt.Sprintf("cluster-%s-%d", appName(i), i)
		g.put(&rbacv1.ClusterRoleBinding{
			ObjectMeta: g.meta("", name, nil),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: appName(i), Namespace: g.namespace(i)}},
		})
	}
	for i := range g.spec.Roles {
		g.put(&rbacv1.Role{ObjectMeta: g.meta(g.namespace(i), fmt.Sprintf("%s-%d", appName(i), i), nil), Rules: rules})
	}
	for i := range g.spec.RoleBindings {
		g.put(&rbacv1.RoleBinding{
			ObjectMeta: g.meta(g.namespace(i), fmt.Sprintf("%s-%d", appName(i), i), nil),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: appName(i)},
			Subjects:   []rbacv1.Subject{{Kind: "Group", APIGroup: rbacv1.GroupName, Name: fmt.Sprintf("team-%d", i%17)}},
		})
	}
}

func (g *generator) makeSigningRequests() {
	for range g.spec.CertificateSigningRequests {
		request := &certificatesv1.CertificateSigningRequest{
			ObjectMeta: g.meta("", fmt.Sprintf("csr-%s", g.suffix()), nil),
			Spec: certificatesv1.CertificateSigningRequestSpec{
				Request:    []byte("-----BEGIN CERTIFICATE REQUEST-----\n" + randomSuffix(g.random, 600) + "\n-----END CERTIFICATE REQUEST-----\n"),
				SignerName: certificatesv1.KubeletServingSignerName, Username: "system:node:" + g.anyNode().name,
				Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
			},
		}
		if g.chance(90) {
			request.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{
				Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "AutoApproved", LastUpdateTime: request.CreationTimestamp, LastTransitionTime: request.CreationTimestamp,
			}}
			request.Status.Certificate = []byte(randomSuffix(g.random, 900))
		}
		g.put(request)
	}
}
