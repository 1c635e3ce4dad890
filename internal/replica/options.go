package replica

import (
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/resources"
)

// Options say what a Replica exports.
type Options struct {
	// Config reaches the API server. Its rate limits should let all kinds start
	// together: two requests for each.
	Config *rest.Config
	// Kinds are the enabled kinds, in the order of the page.
	Kinds []resources.Kind
	// Filter selects the families, labels and annotations.
	Filter resources.Filter
	// Namespaces are the namespaces that namespaced kinds are followed in, each
	// with requests of its own; none means all.
	Namespaces []string
	// NamespacesDenied are left out of all namespaces, by field selector.
	NamespacesDenied []string
	// Node restricts pods to those of one node; "" means all.
	Node string
	// TrackUnscheduled restricts pods to those without a node.
	TrackUnscheduled bool
	// UseAPIServerCache lets the first list be as old as the API server's cache.
	UseAPIServerCache bool
	// ObjectLimit bounds the objects held of each kind; 0 means no limit.
	ObjectLimit int64
	// RawBytes bounds the page text that is held uncompressed.
	RawBytes int64
	// Logger gets what an operator should know.
	Logger *slog.Logger
	// Registerer gets the self-metrics.
	Registerer prometheus.Registerer
}

// scope is one way to ask for a kind's objects: each has a Source of its own.
type scope struct{ namespace, fieldSelector string }

// scopes returns the requests that together cover what is wanted of a kind.
func (o *Options) scopes(k resources.Kind) []scope {
	var terms []string
	if k.Name() == "pods" {
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
