package replica

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/shard"
)

// pipes is a network in memory, which works in simulated time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
	away   atomic.Bool
}

func newPipes() *pipes {
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.close()
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if p.away.Load() {
		return nil, syscall.ECONNREFUSED
	}
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// An API server is away for ten minutes of simulated time, three times, while the
// cluster changes. Requests are spaced as in the program.
func TestAPIServerThatIsAwayForTenMinutes(t *testing.T) {
	o := &report{name: "away-ten-minutes", seed: seed(t), runs: 1}
	defer o.tell(t)
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		c := newChronicleOn(t, o.seed, network)
		w := c.witness(0, func(o *Options) {
			o.Config.Dial = network.dial
			o.Backoff = wait.Backoff{} // the default
			o.verify(time.Hour, 0)
		})
		plan := shard.Plan{Active: 1, Target: 1}
		w.Follow(plan)
		w.waitReady()
		w.reads(plan, nil)
		c.converge(w)
		for range 3 {
			network.away.Store(true)
			c.server.CloseClientConnections()
			for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Second) {
				c.live(1, w)
				if w.Serves() != nil {
					t.Fatal("what is known is not served any more")
				}
			}
			c.cluster.Compact() // in ten minutes an API server forgets
			network.away.Store(false)
			o.struck++
			o.worst = max(o.worst, c.converge(w))
		}
		// 15 seconds until it is asked again, and as many before a list, since it has forgotten the version.
		if longest := 31 * time.Second; o.worst > longest {
			t.Errorf("the pages were true again after %s; it should take %s at most", o.worst, longest)
		}
		o.steps = c.steps
	})
}
