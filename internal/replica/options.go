package replica

import (
	"log/slog"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/savedstate"
	"github.com/statefleet/statefleet/internal/watch/verify"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// Options configure a Replica.
type Options struct {
	// Config configures the clients of the API server. Its rate limits should allow two requests for
	// each kind at once, so that all kinds start together.
	Config *rest.Config
	// Kinds are the enabled kinds, in the order of the exposition; see SetKinds.
	Kinds []Kind
	// KindsFollow says that these are not all. The replica lists nothing before the first SetKinds.
	KindsFollow bool
	// Namespaces restrict namespaced kinds to these namespaces, which are listed and watched one by
	// one; none means all.
	Namespaces []string
	// NamespacesDenied are excluded when all namespaces are watched, by field selector.
	NamespacesDenied []string
	// NamespaceSelector, unless it is nil, selects namespaces by their current labels. A change of the
	// selected namespaces relists the namespaced kinds, but decodes no held object again.
	NamespaceSelector labels.Selector
	// ObjectSelectors restrict kinds, by name, to the objects with matching labels. The API server
	// leaves out others, and reports an object as deleted whose labels cease to match.
	ObjectSelectors map[string]labels.Selector
	// Node restricts pods to those of one node; "" means all.
	Node string
	// TrackUnscheduled restricts pods to those without a node.
	TrackUnscheduled bool
	// UseAPIServerCache lets the first list be as old as the API server's cache.
	UseAPIServerCache bool
	// ObjectLimit limits the held objects of each kind, ByteLimit their text; 0 means no limit.
	ObjectLimit, ByteLimit int64
	// ObjectBytes limits the text of each object; metric families that would exceed it are left out. 0
	// means 4 MiB.
	ObjectBytes int64
	// HoldDeleted is how long the last state of a deleted object stays visible, however often it is
	// scraped; 0 removes it immediately.
	HoldDeleted time.Duration
	// Backoff spaces the requests for a resource while the API server cannot be used; see
	// watch.Options. Unless it is set, lists of added ranges are spaced by 1 second, doubled up to 30
	// seconds.
	Backoff wait.Backoff
	// ForbiddenGrace is how long a 403 counts as transient, so that readiness waits for the kind; 0
	// means 10 seconds.
	ForbiddenGrace time.Duration
	// CustomGrace is how long a custom kind that cannot be listed blocks readiness and changes of
	// shard; 0 means no limit.
	CustomGrace time.Duration
	// Verifier compares the kinds and the selected namespaces with lists; nil stands for one that
	// never does. Watches of other resources may share it.
	Verifier *verify.Verifier
	// HoldsChanged, unless it is nil, is called when the result of [Replica.Holds] may have changed.
	// It must not block.
	HoldsChanged func()
	// RawBytes limits the memory of uncompressed blocks.
	RawBytes int64
	// ReadState, unless it is nil, calls read with the state that an earlier process has saved, and
	// returns whether what was read may be used; see [savedstate.Dir.Read]. It is called once.
	ReadState func(read func(*savedstate.Reader) error) bool
	// Logger receives messages for operators.
	Logger *slog.Logger
	// Metrics are the self-metrics. A process has one, which all its Replicas share.
	Metrics *Metrics
}

// Kind is a kind of object that a Replica exports.
type Kind struct {
	// Name is the plural that names the kind in flags, URLs and self-metrics.
	Name string
	// Resource is the resource that is listed and watched.
	Resource schema.GroupVersionResource
	// Namespaced kinds are restricted by the namespace options.
	Namespaced bool
	// Custom kinds have custom resource metrics. They are requested as JSON only, because their Renderer
	// reads nothing else. Their API may let users choose UIDs, and nothing waits for them longer than
	// Options.CustomGrace.
	Custom bool
	// Form is the part of each object that is requested.
	Form wire.Form
	// LabelSelector and FieldSelector restrict the objects, in addition to the options; "" selects all.
	LabelSelector, FieldSelector string
	// Renderer renders the objects.
	Renderer Renderer
}

// Renderer renders raw objects of one kind to lines; see resources.Renderer. It is safe for
// concurrent use.
type Renderer interface {
	Families() []resources.Family
	Render(enc wire.Encoding, raw []byte, l *resources.Lines) error
}

// Builtin returns the built-in kinds with the families that f selects.
func Builtin(kinds []resources.Kind, f resources.Filter) ([]Kind, error) {
	all := make([]Kind, 0, len(kinds))
	for _, k := range kinds {
		r, err := k.Renderer(f)
		if err != nil {
			return nil, err
		}
		all = append(all, Kind{Name: k.Name(), Resource: k.Resource, Namespaced: k.Namespaced, Form: r.Form(), Renderer: r})
	}
	return all, nil
}

// scope restricts the objects of one Reflector.
type scope struct{ namespace, fieldSelector string }

// scopes returns the scopes that together cover the objects of a kind.
func (o *Options) scopes(k Kind) []scope {
	var terms []string
	if k.FieldSelector != "" {
		terms = append(terms, k.FieldSelector)
	}
	if k.Resource == corev1.SchemeGroupVersion.WithResource("pods") {
		switch {
		case o.TrackUnscheduled:
			terms = append(terms, "spec.nodeName=")
		case o.Node != "":
			terms = append(terms, "spec.nodeName="+o.Node)
		}
	}
	if !k.Namespaced || len(o.Namespaces) == 0 {
		if k.Namespaced {
			for _, ns := range o.NamespacesDenied {
				terms = append(terms, "metadata.namespace!="+ns)
			}
		}
		return []scope{{fieldSelector: strings.Join(terms, ",")}}
	}
	all := make([]scope, len(o.Namespaces))
	for i, ns := range o.Namespaces {
		all[i] = scope{namespace: ns, fieldSelector: strings.Join(terms, ",")}
	}
	return all
}
