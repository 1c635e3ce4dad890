package kubelet

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// OwnPorts changes the ports of a pod's first container, and the arguments that name them, to ports that are free on
// all addresses of this machine. A container has its own port numbers, but the processes of a machine share them.
func OwnPorts(spec *corev1.PodSpec) error {
	container := &spec.Containers[0]
	free, err := fleet.FreePorts("", len(container.Ports))
	if err != nil {
		return err
	}
	for i := range container.Ports {
		was := fmt.Sprintf("port=%d", container.Ports[i].ContainerPort)
		container.Ports[i].ContainerPort = int32(free[i])
		for j, arg := range container.Args {
			if flag, ok := strings.CutSuffix(arg, was); ok {
				container.Args[j] = flag + fmt.Sprintf("port=%d", free[i])
			}
		}
	}
	return nil
}
