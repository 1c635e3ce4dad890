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

	"github.com/statefleet/statefleet/internal/watch/verify"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// Options say what a Replica exports.
type Options struct {
	// Config reaches the API server. Its rate limits should let all kinds start
	// together: two requests for each.
	Config *rest.Config
	// Kinds are the enabled kinds, in the order of the page; see SetKinds.
	Kinds []Kind
	// Namespaces are the namespaces that namespaced kinds are followed in, each
	// with requests of its own; none means all.
	Namespaces []string
	// NamespacesDenied are left out of all namespaces, by field selector.
	NamespacesDenied []string
	// NamespaceSelector, when set, selects namespaces by their labels instead,
	// followed as they change. Everything that follows from a change is listed
	// again, at the cost of a list but not of decoding it.
	NamespaceSelector labels.Selector
	// Node restricts pods to those of one node; "" means all.
	Node string
	// TrackUnscheduled restricts pods to those without a node.
	TrackUnscheduled bool
	// UseAPIServerCache lets the first list be as old as the API server's cache.
	UseAPIServerCache bool
	// ObjectLimit bounds the objects held of each kind, ByteLimit their text; 0
	// means no limit.
	ObjectLimit, ByteLimit int64
	// ObjectBytes bounds the text of each object; metric families that would go beyond are
	// left out. 0 means 4 MiB.
	ObjectBytes int64
	// HoldDeleted is how long the last state of a deleted object stays on the page,
	// however often it is scraped; 0 removes it at once.
	HoldDeleted time.Duration
	// Backoff spaces the requests for a kind while the API server cannot be used;
	// see watch.Options. Lists of ranges that a change of shard adds are spaced by one second,
	// doubled up to 30, unless it is set.
	Backoff wait.Backoff
	// ForbiddenGrace is how long a kind that the API server refuses is waited for; 0
	// means 10 seconds.
	ForbiddenGrace time.Duration
	// CustomGrace is how long a custom kind that can't be listed keeps the replica from
	// becoming ready, and a change of shard from going on; 0 means without limit.
	CustomGrace time.Duration
	// Verifier compares the kinds and the selected namespaces with lists; nil stands for one that
	// never does. What watches other resources of the API server may share it.
	Verifier *verify.Verifier
	// HoldsChanged, unless it is nil, is called when [Replica.Holds] may have another answer. It must not block.
	HoldsChanged func()
	// RawBytes bounds the page text that is held uncompressed.
	RawBytes int64
	// Logger gets what an operator should know.
	Logger *slog.Logger
	// Metrics are the self-metrics; Replicas that follow one another share them.
	Metrics *Metrics
}

func (o *Options) holdsChanged() {
	if o.HoldsChanged != nil {
		o.HoldsChanged()
	}
}

// Kind is one kind of object that a Replica follows and shows.
type Kind struct {
	// Name names the kind in flags, URLs and self-metrics: a plural.
	Name string
	// Resource is what is listed and watched.
	Resource schema.GroupVersionResource
	// Namespaced kinds are restricted by the namespace options.
	Namespaced bool
	// Custom kinds are those of custom resources and of aggregated APIs. Their API may
	// let users choose UIDs, and nothing waits for them longer than Options.CustomGrace.
	Custom bool
	// JSON kinds are asked for as JSON only; their Renderer reads nothing else.
	JSON bool
	// Form is the part of each object that is asked for.
	Form wire.Form
	// Renderer makes the lines.
	Renderer Renderer
}

// Renderer turns raw objects of one kind into lines; see resources.Renderer. It
// is safe for concurrent use.
type Renderer interface {
	Families() []resources.Family
	Render(enc wire.Encoding, raw []byte, l *resources.Lines) error
}

// Builtin returns built-in kinds with the families that f selects.
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

// scope is one way to ask for a kind's objects: each has a Reflector of its own.
type scope struct{ namespace, fieldSelector string }

// scopes returns the requests that together cover what is wanted of a kind.
func (o *Options) scopes(k Kind) []scope {
	var terms []string
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
