package controlplane

import (
	"fmt"
	"slices"
	"strings"
)

// Version is the version that the API server reports.
const Version = "v1.37.2"

// Options say which control plane to start. The zero value is an API server with default feature gates and no controllers.
type Options struct {
	// Gates switches feature gates of the API server on or off. Nil leaves all at their defaults.
	Gates map[string]bool

	// Controllers are started with the cluster: names as kube-controller-manager's --controllers takes them, such as
	// "statefulset-controller". None by default: then nothing but the test writes objects, and pages stay quiet.
	Controllers []string

	// Args are more kube-apiserver flags, after those of this package. None by default.
	Args []string
}

// ShardedListAndWatch is the gate of server-side sharding (KEP-5866): alpha, off unless asked for.
const ShardedListAndWatch = "ShardedListAndWatch"

// Sharding returns gates that switch server-side sharding on or off.
func Sharding(on bool) map[string]bool { return map[string]bool{ShardedListAndWatch: on} }

func gatesFlag(gates map[string]bool) string {
	parts := make([]string, 0, len(gates))
	for name, on := range gates {
		parts = append(parts, fmt.Sprintf("%s=%t", name, on))
	}
	slices.Sort(parts)
	return "--feature-gates=" + strings.Join(parts, ",")
}
