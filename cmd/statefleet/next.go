package main

import (
	"errors"
	"fmt"
	"io"

	"k8s.io/client-go/rest"
)

// nextSteps follows the error of a first start without arguments.
const nextSteps = `
To see a fleet without a cluster, in a checkout of https://github.com/statefleet/statefleet:
  make demo
To export your cluster from here; metrics are at http://localhost:8080/metrics, and the status page at
http://localhost:8081/:
  statefleet --kubeconfig ~/.kube/config
To run a fleet of three shards in your cluster, with an image that you build, follow the first lines of README.md.
With Docker and kind, this does it for a try, in a checkout:
  make kind
To learn how many replicas your cluster needs:
  statefleet estimate --kubeconfig ~/.kube/config
All flags: statefleet --help. Documents: docs/ in the checkout; docs/migration.md for users of kube-state-metrics.
`

// explain writes the next steps if the program was started without arguments outside a cluster.
func explain(stderr io.Writer, args []string, err error) {
	if len(args) == 0 && errors.Is(err, rest.ErrNotInCluster) {
		_, _ = fmt.Fprint(stderr, nextSteps) // there is no other place to report it
	}
}
