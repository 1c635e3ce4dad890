//nolint:staticcheck // The API is deprecated and still served; clusters watch it until it is gone.
package resources

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

func endpoints() Kind {
	return NewKind(definition[corev1.Endpoints]{
		resource: corev1.SchemeGroupVersion.WithResource("endpoints"),
		optional: true,
		identity: namespaceAndName[corev1.Endpoints]("endpoint"),
		reads: `subsets.addresses.ip subsets.notReadyAddresses.ip
			subsets.ports.name subsets.ports.port subsets.ports.protocol`,
		families: []family[corev1.Endpoints]{
			gauge(Stable, "kube_endpoint_info", "Always 1, for each endpoints object.", func(e *corev1.Endpoints, w *SampleWriter) { w.Value(1) }),
			createdFamily[corev1.Endpoints](Stable, "kube_endpoint_created", "endpoints object"),
			annotationsFamily[corev1.Endpoints](Alpha, "kube_endpoint_annotations", "endpoints object"),
			labelsFamily[corev1.Endpoints](Stable, "kube_endpoint_labels", "endpoints object"),
			gauge(Stable, "kube_endpoint_address", "Always 1; names an address of the endpoints, a port on it and whether it is ready.", endpointAddresses),
			gauge(Stable, "kube_endpoint_ports", "Always 1; names a port of the endpoints.", endpointPorts),
		},
	})
}

func endpointAddresses(e *corev1.Endpoints, w *SampleWriter) {
	for _, s := range e.Subsets {
		for _, port := range s.Ports {
			endpointAddressList(w, port, s.Addresses, "true")
			endpointAddressList(w, port, s.NotReadyAddresses, "false")
		}
	}
}

func endpointAddressList(w *SampleWriter, port corev1.EndpointPort, addresses []corev1.EndpointAddress, ready string) {
	number := strconv.Itoa(int(port.Port))
	for _, address := range addresses {
		if w.Full() { // there is a sample per port and address: an object of 36 kB can give 57 MB
			return
		}
		w.UniqueSample(1, "port_protocol", string(port.Protocol), "port_number", number, "port_name", port.Name, "ip", address.IP, "ready", ready)
	}
}

// endpointPorts appends each port once, even if it is in several subsets.
func endpointPorts(e *corev1.Endpoints, w *SampleWriter) {
	for _, s := range e.Subsets {
		for _, port := range s.Ports {
			w.SampleIfNew(1, "port_name", port.Name, "port_protocol", string(port.Protocol), "port_number", strconv.Itoa(int(port.Port)))
		}
	}
}
