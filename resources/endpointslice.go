package resources

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"
)

func endpointSlices() Kind {
	return NewKind(definition[discoveryv1.EndpointSlice]{
		resource: discoveryv1.SchemeGroupVersion.WithResource("endpointslices"),
		identity: identity[discoveryv1.EndpointSlice]{namespaced: true, set: func(s *discoveryv1.EndpointSlice, w *SampleWriter) {
			w.setIdentity("endpointslice", s.Name, "namespace", s.Namespace)
		}},
		reads: `addressType endpoints.addresses endpoints.hostname endpoints.nodeName endpoints.zone
			endpoints.conditions.ready endpoints.conditions.serving endpoints.conditions.terminating
			endpoints.targetRef.kind endpoints.targetRef.name endpoints.targetRef.namespace
			endpoints.hints.forZones.name
			ports.name ports.port ports.protocol`,
		families: []family[discoveryv1.EndpointSlice]{
			gauge(Alpha, "kube_endpointslice_info", "Always 1; names the type of the slice's addresses.", func(s *discoveryv1.EndpointSlice, w *SampleWriter) {
				w.Sample(1, "addresstype", string(s.AddressType))
			}),
			createdFamily[discoveryv1.EndpointSlice](Alpha, "kube_endpointslice_created", "slice"),
			gauge(Alpha, "kube_endpointslice_endpoints_hints", "Always 1; names a zone whose traffic an endpoint should serve.", endpointHints),
			gauge(Alpha, "kube_endpointslice_endpoints", "Always 1; names an address of an endpoint, its conditions, target, node and zone.", sliceEndpoints),
			gauge(Alpha, "kube_endpointslice_ports", "Always 1; names a port of the slice's endpoints.", slicePorts),
			annotationsFamily[discoveryv1.EndpointSlice](Alpha, "kube_endpointslice_annotations", "slice"),
			labelsFamily[discoveryv1.EndpointSlice](Alpha, "kube_endpointslice_labels", "slice"),
		},
	})
}

// endpointHints identifies an endpoint by its first address, which receives the traffic.
func endpointHints(s *discoveryv1.EndpointSlice, w *SampleWriter) {
	for _, e := range s.Endpoints {
		if e.Hints == nil || len(e.Addresses) == 0 {
			continue
		}
		for _, zone := range e.Hints.ForZones {
			w.UniqueSample(1, "address", e.Addresses[0], "for_zone", zone.Name)
		}
	}
}

func sliceEndpoints(s *discoveryv1.EndpointSlice, w *SampleWriter) {
	for _, e := range s.Endpoints {
		target := ptr.Deref(e.TargetRef, corev1.ObjectReference{})
		for _, address := range e.Addresses {
			if w.Full() {
				return
			}
			w.UniqueSample(1,
				"ready", optionalBool(e.Conditions.Ready),
				"serving", optionalBool(e.Conditions.Serving),
				"hostname", ptr.Deref(e.Hostname, ""),
				"terminating", optionalBool(e.Conditions.Terminating),
				"targetref_kind", target.Kind,
				"targetref_name", target.Name,
				"targetref_namespace", target.Namespace,
				"endpoint_nodename", ptr.Deref(e.NodeName, ""),
				"endpoint_zone", ptr.Deref(e.Zone, ""),
				"address", address)
		}
	}
}

func slicePorts(s *discoveryv1.EndpointSlice, w *SampleWriter) {
	for _, p := range s.Ports {
		w.UniqueSample(1, "port_name", ptr.Deref(p.Name, ""), "port_protocol", string(ptr.Deref(p.Protocol, "")), "port_number", optionalNumber(p.Port))
	}
}
