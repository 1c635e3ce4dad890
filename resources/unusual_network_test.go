package resources

import "testing"

// TestUnusualNetworkObjects is TestUnusualObjects for the kinds of the network.
func TestUnusualNetworkObjects(t *testing.T) {
	f := func(k Kind, families, object, want string, wantSkipped int) {
		t.Helper()
		rendersAs(t, k, families, object, want, wantSkipped)
	}

	// A path without a backend is skipped. If a path occurs twice, the first one counts.
	f(ingresses(), `path|tls`, `{"metadata":{"name":"i"},"spec":{"defaultBackend":{"service":{"name":"d"}},
		"tls":[{"secretName":"s"},{"hosts":["h","h"]}],"rules":[{},{"host":"h","http":{}},{"host":"h","http":{"paths":[
		{"path":"/"},{"path":"/","backend":{"service":{"name":"s","port":{"name":"http"}}}},{"path":"/","backend":{"service":{"name":"s"}}}]}}]}}`, `
kube_ingress_path{namespace="",ingress="i",host="h",path="/",path_type="",service_name="s",service_port="0"} 1
kube_ingress_tls{namespace="",ingress="i",tls_host="h",secret=""} 1
`, 3)
	f(ingresses(), `info`, `{"metadata":{"name":"i","annotations":{"kubernetes.io/ingress.class":""}},"spec":{"ingressClassName":"c"}}`, `
kube_ingress_info{namespace="",ingress="i",ingressclass=""} 1
`, 0)

	// Subsets may share a port; an address is ready and not ready in different series.
	f(endpoints(), `address|ports`, `{"metadata":{"name":"e"},"subsets":[{"addresses":[{"ip":"10.0.0.1"}],"ports":[{"port":80}]},
		{"addresses":[{"ip":"10.0.0.1"}],"notReadyAddresses":[{"ip":"10.0.0.1"}],"ports":[{"port":80}]},{"ports":[{"port":81}]}]}`, `
kube_endpoint_address{namespace="",endpoint="e",port_protocol="",port_number="80",port_name="",ip="10.0.0.1",ready="true"} 1
kube_endpoint_address{namespace="",endpoint="e",port_protocol="",port_number="80",port_name="",ip="10.0.0.1",ready="false"} 1
kube_endpoint_ports{namespace="",endpoint="e",port_name="",port_protocol="",port_number="80"} 1
kube_endpoint_ports{namespace="",endpoint="e",port_name="",port_protocol="",port_number="81"} 1
`, 1)
	f(endpointSlices(), `hints|ports`, `{"metadata":{"name":"e"},"endpoints":[{"hints":{"forZones":[{"name":"z"}]}},{"addresses":["a"],"hints":{}}],"ports":[{},{}]}`, `
kube_endpointslice_ports{endpointslice="e",namespace="",port_name="",port_protocol="",port_number=""} 1
`, 1)
	f(networkPolicies(), `.`, `{"metadata":{"name":"n"},"spec":{"ingress":[{},{"from":[{}]}],"egress":null}}`, `
kube_networkpolicy_labels{namespace="",networkpolicy="n"} 1
kube_networkpolicy_spec_ingress_rules{namespace="",networkpolicy="n"} 2
kube_networkpolicy_spec_egress_rules{namespace="",networkpolicy="n"} 0
`, 0)
}

// TestUnusualClusterObjects is TestUnusualObjects for cluster-scoped kinds and leases.
func TestUnusualClusterObjects(t *testing.T) {
	f := func(k Kind, families, object, want string, wantSkipped int) {
		t.Helper()
		rendersAs(t, k, families, object, want, wantSkipped)
	}

	// The API does not allow several sources. If there are several, one is exported.
	f(persistentVolumes(), `info|capacity|claim|phase`, `{"metadata":{"name":"v"},"spec":{"capacity":{"storage":"-10E"},"claimRef":{},
		"nfs":{"server":"s","path":"/"},"csi":{"driver":"d"}}}`, `
kube_persistentvolume_claim_ref{persistentvolume="v",name="",claim_namespace=""} 1
kube_persistentvolume_info{persistentvolume="v",storageclass="",gce_persistent_disk_name="",ebs_volume_id="",azure_disk_name="",`+
		`fc_wwids="",fc_lun="",fc_target_wwns="",iscsi_target_portal="",iscsi_iqn="",iscsi_lun="",iscsi_initiator_name="",`+
		`nfs_server="s",nfs_path="/",csi_driver="",csi_volume_handle="",local_path="",local_fs="",host_path="",host_path_type="",reclaim_policy=""} 1
kube_persistentvolume_capacity_bytes{persistentvolume="v"} 0
`, 0)
	f(leases(), `.`, `{"metadata":{"name":"l","ownerReferences":[{},{}]},"spec":{"renewTime":null}}`, `
kube_lease_owner{lease="l",owner_kind="",owner_name="",namespace="",lease_holder=""} 1
`, 1)
	f(validatingWebhookConfigurations(), `service`, `{"metadata":{"name":"w","namespace":"ns"},"webhooks":[{},{"clientConfig":{"service":{}}},{"name":"x","clientConfig":{"service":null}}]}`, `
kube_validatingwebhookconfiguration_webhook_clientconfig_service{namespace="",validatingwebhookconfiguration="w",webhook_name="",service_name="",service_namespace=""} 1
kube_validatingwebhookconfiguration_webhook_clientconfig_service{namespace="",validatingwebhookconfiguration="w",webhook_name="x",service_name="",service_namespace=""} 1
`, 1)
}
