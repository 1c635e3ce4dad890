package controlplane

import (
	"fmt"
	"slices"
	"strings"
)

// Version is the version that the API server reports.
const Version = "v1.37.2"

// Options configure a control plane. The zero value means an API server with default feature gates and no controllers.
type Options struct {
	// Gates switches feature gates of the API server on or off. Nil leaves all at their defaults.
	Gates map[string]bool

	// Controllers are started with the cluster. They have the names that kube-controller-manager --controllers expects,
	// such as "statefulset-controller". Without controllers, only the test writes objects, and expositions do not change.
	Controllers []string

	// Args are additional kube-apiserver flags. They follow those of this package.
	Args []string
}

// ShardedListAndWatch is the feature gate of server-side sharding (KEP-5866). It is alpha and off by default.
const ShardedListAndWatch = "ShardedListAndWatch"

// Sharding returns feature gates that switch server-side sharding on or off.
func Sharding(on bool) map[string]bool { return map[string]bool{ShardedListAndWatch: on} }

func gatesFlag(gates map[string]bool) string {
	parts := make([]string, 0, len(gates))
	for name, on := range gates {
		parts = append(parts, fmt.Sprintf("%s=%t", name, on))
	}
	slices.Sort(parts)
	return "--feature-gates=" + strings.Join(parts, ",")
}
