package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/statefleet/statefleet/test/seed"
)

const (
	// churnPrefix begins the names of the pods and jobs that churn creates.
	churnPrefix = "churn-"

	churnInterval   = 40 * time.Millisecond
	maxChurnObjects = 30
)

// churnObject is a pod or job that churn creates and deletes later.
type churnObject struct {
	name string
	job  bool
}

// churn creates and deletes pods and jobs until the end of the test, except while paused is set.
func (w *world) churn(t *testing.T, paused *atomic.Bool) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		var alive []churnObject
		client := w.cluster.Client()
		for i := 0; ctx.Err() == nil; i++ {
			if paused.Load() {
				time.Sleep(churnInterval)
				continue
			}
			next := churnObject{name: fmt.Sprint(churnPrefix, i), job: i%2 == 0}
			if err := next.create(ctx, client, i); err == nil {
				alive = append(alive, next)
			}
			if len(alive) > maxChurnObjects {
				at := rand.IntN(len(alive))
				if err := alive[at].delete(ctx, client); err == nil || apierrors.IsNotFound(err) { // a restored backup may lack it
					alive = append(alive[:at], alive[at+1:]...)
				}
			}
			time.Sleep(churnInterval)
		}
		for _, last := range alive { // so that the next check finds the cluster as it was
			_ = last.delete(context.Background(), client)
		}
	})
	t.Cleanup(func() {
		cancel()
		working.Wait()
	})
}

func (p churnObject) create(ctx context.Context, client kubernetes.Interface, i int) error {
	if p.job {
		_, err := client.BatchV1().Jobs(seed.Batch).Create(ctx, seed.NewJob(p.name), metav1.CreateOptions{})
		return err
	}
	_, err := seed.PutPod(ctx, client, seed.NewPod(p.name, i))
	return err
}

func (p churnObject) delete(ctx context.Context, client kubernetes.Interface) error {
	now, background := int64(0), metav1.DeletePropagationBackground
	options := metav1.DeleteOptions{GracePeriodSeconds: &now, PropagationPolicy: &background}
	if p.job {
		return client.BatchV1().Jobs(seed.Batch).Delete(ctx, p.name, options)
	}
	return client.CoreV1().Pods(seed.Shop).Delete(ctx, p.name, options)
}
