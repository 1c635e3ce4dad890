package node

import (
	"context"
	"time"
)

// idleDeployment is a Deployment of pods that do nothing. Its argument is [pauseImage].
const idleDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: default, name: load}
spec:
  replicas: 10
  selector: {matchLabels: {app: load}}
  template:
    metadata: {labels: {app: load}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: pause, image: %q, imagePullPolicy: Never}]
`

// versionJob is a Job whose pod prints the version of statefleet. It is deleted five seconds after it has finished. Its
// arguments are a number and the image.
const versionJob = `
apiVersion: batch/v1
kind: Job
metadata: {namespace: default, name: job-%d}
spec:
  ttlSecondsAfterFinished: 5
  template:
    spec:
      restartPolicy: Never
      containers: [{name: version, image: %q, args: [--version], imagePullPolicy: Never}]
`

// Load creates a Deployment of ten idle pods, and a Job every three seconds whose pod prints the version of an image of
// statefleet. It returns nil when ctx ends, and an error if it cannot create the Deployment.
func (c *Cluster) Load(ctx context.Context, image string) error {
	if err := c.Apply(ctx, idleDeployment, pauseImage); err != nil {
		return err
	}
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			_ = c.Apply(ctx, versionJob, n, image) // the next one may succeed
		}
	}
}
