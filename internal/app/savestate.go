package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/config"
	"github.com/statefleet/statefleet/internal/savedstate"
	"github.com/statefleet/statefleet/internal/watch"
)

const (
	// saveInterval is the average time between two states. API servers remember at least 75 seconds of
	// events, and more of resources that change little.
	saveInterval = 2 * time.Minute
	// saveRate limits how fast a state is written while the replica serves, in bytes per second.
	saveRate = 32 << 20
	// finishTimeout is how long the last state may take; the pod is killed when its grace period ends.
	finishTimeout = 20 * time.Second
)

// stateSaver saves the state of the active replica, and reads the state of an earlier process. One
// goroutine calls run; finish is called after run has returned.
type stateSaver struct {
	process *process
	dir     *savedstate.Dir
	build   func() (string, error) // hash of the executable
	cluster string                 // identifies the API server
}

func newStateSaver(p *process, api *rest.Config) *stateSaver {
	return &stateSaver{
		process: p,
		dir:     savedstate.New(p.SnapshotDir, savedstate.NewMetrics(p.registry), p.logger),
		build:   sync.OnceValues(hashExecutable),
		cluster: clusterIdentity(api),
	}
}

// hashExecutable identifies the build, because another build may render other text.
func hashExecutable() (string, error) {
	name, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // nothing was written
	h := xxhash.New()
	_, err = io.Copy(h, f)
	return fmt.Sprintf("%016x", h.Sum64()), err
}

// clusterIdentity identifies the cluster by the address of its API server and the authority that has
// signed its certificate, which needs no request and no permission. A state on a volume that moves to
// another cluster is therefore not used.
func clusterIdentity(api *rest.Config) string {
	c := rest.CopyConfig(api)
	if err := rest.LoadTLSFiles(c); err != nil {
		c.CAData = nil // requests will fail, and say why
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s%s\n%s", c.Host, c.APIPath, c.CAData))
	return hex.EncodeToString(sum[:])
}

// fingerprint identifies everything that determines the text of a replica, except its ranges.
func (s *stateSaver) fingerprint(c *config.Config) (string, error) {
	build, err := s.build()
	return build + "-" + s.cluster + "-" + c.TextFingerprint(), err
}

// reader returns the function by which a replica reads the saved state; nil if there is none.
func (s *stateSaver) reader(c *config.Config) func(func(*savedstate.Reader) error) bool {
	if s == nil {
		return nil
	}
	return func(read func(*savedstate.Reader) error) bool {
		fingerprint, err := s.fingerprint(c)
		if err != nil {
			s.process.logger.Warn("saved state cannot be used: the executable cannot be read", "err", err)
			return false
		}
		return withoutGC(func() bool { return s.dir.Read(fingerprint, read) })
	}
}

// run saves the state every few minutes until ctx ends.
func (s *stateSaver) run(ctx context.Context) {
	for watch.Sleep(ctx, watch.Spread(saveInterval)) {
		s.save(ctx, saveRate)
	}
}

// finish saves the state of a process whose other parts have ended.
func (s *stateSaver) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	s.save(ctx, 0)
	s.dir.Close()
}

// save saves the state of the active replica.
func (s *stateSaver) save(ctx context.Context, rate int64) {
	active := s.process.reloader.active.Load()
	fingerprint, err := s.fingerprint(active.Config)
	if err != nil {
		return // it was logged at the start
	}
	s.dir.Write(ctx, fingerprint, rate, active.replica.SaveState)
}
