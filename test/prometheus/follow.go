package prometheus

import (
	"errors"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
)

// Pod is a process on this machine that represents a running pod of a fleet.
type Pod struct {
	Name string
	// Ports has the addresses (host and port) by the name of the container port.
	Ports map[string]string
}

// Follow replaces the targets by these pods, with the labels that discovery would set. It returns an error if Options
// has a Kubeconfig.
func (s *Server) Follow(pods []Pod) error {
	group := &targetgroup.Group{Source: "pods"}
	for _, pod := range pods {
		for port, address := range pod.Ports {
			group.Targets = append(group.Targets, model.LabelSet{
				model.AddressLabel:                                   model.LabelValue(address),
				"__meta_kubernetes_pod_name":                         model.LabelValue(pod.Name),
				"__meta_kubernetes_pod_phase":                        "Running",
				"__meta_kubernetes_pod_label_app_kubernetes_io_name": "statefleet",
				"__meta_kubernetes_pod_container_port_name":          model.LabelValue(port),
			})
		}
	}
	all := map[string]discovery.Configs{}
	for _, scrape := range s.cfg.ScrapeConfigs {
		if len(scrape.ServiceDiscoveryConfigs) > 0 {
			return errors.New("targets cannot be set, because a kubeconfig is given and pods are discovered")
		}
		all[scrape.JobName] = discovery.Configs{discovery.StaticConfig{group}}
	}
	return s.targets.ApplyConfig(all)
}
