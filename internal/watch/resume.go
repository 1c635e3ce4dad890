package watch

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/wire"
)

const (
	// catchUpSeconds is the requested duration of a watch that catches up. API servers send a bookmark
	// two seconds before the requested end of a watch, and otherwise only once a minute.
	catchUpSeconds = 3
	// maxCatchUps is how many watches may end without having caught up before everything is listed.
	// Some servers, such as those of aggregated APIs, send no bookmarks.
	maxCatchUps = 3
)

// Resume says that the Handler already has objects, which an earlier process has received. The Options
// have a Discard function then.
type Resume struct {
	// Version is the version at which the objects were complete.
	Version string
	// CaughtUp is called, as the Handler's methods are, when the watch has reached the version that the
	// API server had when Run began. The Handler has all owned objects as of the given version then, as
	// after Replace.
	CaughtUp func(version string)
}

// resume watches from the version of an earlier process until the watch ends. A watch has caught up
// once it receives an event or a bookmark of the target version or a newer one. Everything is listed
// if that does not happen, or if the API server no longer has the events.
func (r *Reflector) resume(ctx context.Context) error {
	defer r.Client.SuspendBatching()()
	if r.target == 0 {
		if err := r.findTarget(ctx); err != nil || r.target == 0 {
			return err
		}
	}
	_, err := r.watch(ctx, metav1.ListOptions{ResourceVersion: r.version, TimeoutSeconds: new(int64(catchUpSeconds))})
	if err != nil || !r.resuming {
		return err
	}
	if r.catchUps++; r.catchUps >= maxCatchUps {
		r.logger.Debug("the watch has not caught up; listing everything")
		r.requireList()
	}
	return nil
}

// findTarget sets the target to the present version of the resource, unless everything has to be
// listed.
func (r *Reflector) findTarget(ctx context.Context) error {
	newest, err := r.newestVersion(ctx)
	version, from := ParseVersion(newest), ParseVersion(r.version)
	switch {
	case needsList(err):
		r.requireList() // the list reports the error
	case err != nil:
		r.recordResult("list", err)
		return err
	case version == 0 || from == 0: // versions cannot be compared
		r.requireList()
	case version < from:
		r.logger.Warn("the API server's version is older than the saved one, as after a restored backup; listing everything",
			"version", version, "saved_version", from)
		r.discard()
	default:
		r.target = version
	}
	return nil
}

// newestVersion returns the present version of the resource. A lagging cache does not answer, because
// neither a version nor a selector is sent.
func (r *Reflector) newestVersion(ctx context.Context) (string, error) {
	resp, err := r.send(ctx, metav1.ListOptions{Limit: 1}, r.Form.AcceptIdentity())
	if err != nil {
		return "", err
	}
	defer resp.close()
	list, err := wire.ReadList(resp, func(wire.Encoding, []byte) error { return nil })
	return list.ResourceVersion, err
}

// moveTo sets the version from which the next watch starts. The caller holds r.mu.
func (r *Reflector) moveTo(version []byte) {
	if len(version) == 0 {
		return
	}
	from := r.version
	r.version = string(version)
	if !r.resuming || ParseVersion(version) < r.target {
		return
	}
	r.resuming = false
	r.limiter.listed()
	r.observe(r.version)
	r.Resume.CaughtUp(r.version)
	r.status.synced(r.logger, "resumed", "from_version", from)
}

// discard calls Discard, unless the Reflector was synced. Everything is listed then.
func (r *Reflector) discard() {
	if r.Discard == nil || r.Status().Synced {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.complete, r.version = false, "" // the API server may not have this version
	r.Discard()
}

// recordResult records the outcome of a request in the status, unless this process has ended the
// request. Objects that are not complete are dropped before the status says that the resource is
// refused: nothing waits for it from then on.
func (r *Reflector) recordResult(verb string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	if phase, _ := refusal(err); phase != "" {
		r.discard()
	}
	r.status.recordResult(r.logger, verb, err)
}

// ResumeVersion returns the version from which another Reflector can resume with the Handler's
// objects, or "" if they have to be listed. Objects that the Handler has afterwards include those of
// that version. It may be called after Run has returned.
func (r *Reflector) ResumeVersion() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.complete || r.resuming || r.relist != nil {
		return ""
	}
	return r.version
}
