package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/fleet"
)

const auditEvery = 50 * time.Millisecond

// round is one look at all pages at the same time.
type round struct {
	start, end time.Time
	pages      map[string]int // by UID, of those that are not on one page
}

// audit looks at the pages of all replicas over and over, and counts on how many of them each object is.
type audit struct {
	k      *kubelet
	stable map[string]string // names of the objects that stay, by UID
	stop   func()

	rounds []round
}

// audit starts when all stable objects are on one page each.
func (k *kubelet) audit(t *testing.T) *audit {
	t.Helper()
	a := &audit{k: k, stable: map[string]string{}}
	pods, err := k.w.cluster.Client().CoreV1().Pods(corev1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods.Items {
		if pod.Namespace != namespace && !strings.HasPrefix(pod.Name, churning) {
			a.stable[string(pod.UID)] = pod.Namespace + "/" + pod.Name
		}
	}
	fleet.Eventually(t, "every object is on one page", func(ctx context.Context) error {
		if bad := a.look(ctx).pages; len(bad) > 0 {
			return fmt.Errorf("%d of %d are not", len(bad), len(a.stable))
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if r := a.look(ctx); ctx.Err() == nil {
				a.rounds = append(a.rounds, r)
			}
			time.Sleep(auditEvery)
		}
	}()
	a.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(a.stop)
	return a
}

// look fetches all pages in parallel. A replica that is not ready has an empty one.
func (a *audit) look(ctx context.Context) round {
	r := round{pages: map[string]int{}}
	for uid := range a.stable {
		r.pages[uid] = 0
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	r.start = time.Now()
	for _, replica := range a.k.running() {
		group.Go(func() {
			answer, err := replica.Get(ctx, replica.URL+"/metrics?resources=pods")
			if err != nil || answer.Status != http.StatusOK {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for _, uid := range podsOf(answer.Body) {
				if _, ok := a.stable[uid]; ok {
					r.pages[uid]++
				}
			}
		})
	}
	group.Wait()
	r.end = time.Now()
	for uid, n := range r.pages {
		if n == 1 {
			delete(r.pages, uid)
		}
	}
	return r
}

// podsOf finds the UIDs of the pods on a page.
func podsOf(page string) []string {
	var uids []string
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "kube_pod_info{") {
			_, rest, _ := strings.Cut(line, `uid="`)
			uid, _, _ := strings.Cut(rest, `"`)
			uids = append(uids, uid)
		}
	}
	return uids
}

// verdict is what an audit found, of objects on no page and of objects on several.
type verdict struct {
	rounds, missing, doubled int // rounds; objects, each counted once per row of rounds
	// The longest time that an object was seen so: from the end of the first such round to the start of the last, all of
	// which is certain, and, from the start of the round before to the end of the one after, the most that it may have been.
	surely, atMost map[bool]time.Duration
	slowest        time.Duration // round
}

func (a *audit) verdict() verdict {
	a.stop()
	v := verdict{rounds: len(a.rounds), surely: map[bool]time.Duration{}, atMost: map[bool]time.Duration{}}
	for _, r := range a.rounds {
		v.slowest = max(v.slowest, r.end.Sub(r.start))
	}
	for uid := range a.stable {
		for i := 0; i < len(a.rounds); i++ {
			first, bad := a.rounds[i].pages[uid]
			if !bad {
				continue
			}
			last := i
			for last+1 < len(a.rounds) && a.sameFault(last+1, uid, first > 1) {
				last++
			}
			v.count(first > 1, a.rounds, i, last)
			i = last
		}
	}
	return v
}

func (a *audit) sameFault(i int, uid string, doubled bool) bool {
	n, bad := a.rounds[i].pages[uid]
	return bad && n > 1 == doubled
}

func (v *verdict) count(doubled bool, rounds []round, first, last int) {
	if doubled {
		v.doubled++
	} else {
		v.missing++
	}
	before, after := max(first-1, 0), min(last+1, len(rounds)-1)
	v.surely[doubled] = max(v.surely[doubled], rounds[last].start.Sub(rounds[first].end))
	v.atMost[doubled] = max(v.atMost[doubled], rounds[after].end.Sub(rounds[before].start))
}

func (v verdict) String() string {
	return fmt.Sprintf("samples=%d slowest_sample=%s seen_missing=%d (surely %s, at most %s) seen_doubled=%d (surely %s, at most %s)", v.rounds, v.slowest,
		v.missing, v.surely[false], v.atMost[false], v.doubled, v.surely[true], v.atMost[true])
}
