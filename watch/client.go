package watch

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// What an API server is asked to answer with.
const (
	// AcceptBoth prefers protobuf and takes JSON, for kinds that can be read
	// from either.
	AcceptBoth = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	// AcceptJSON is for kinds that are read as JSON only.
	AcceptJSON = runtime.ContentTypeJSON
)

// dialTimeout is that of client-go's own connections, and the time between probes
// of those that are silent.
const dialTimeout = 30 * time.Second

// Client sends the requests of Sources. Make one with NewClient. It is safe for
// concurrent use.
type Client struct {
	rest.Interface
	*gathering // of its connections
	transport  http.RoundTripper
}

// NewClient returns a client for Sources. Its requests are not bound to a group
// or version, and the only type it decodes is the Status of a failed request.
// The rate limits are those of config.
func NewClient(config *rest.Config, accept string) (*Client, error) {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	c := rest.CopyConfig(config)
	c.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	c.AcceptContentTypes, c.ContentType = accept, runtime.ContentTypeProtobuf
	c.GroupVersion = &schema.GroupVersion{Version: "v1"}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: dialTimeout}).DialContext
	}
	g := new(gathering)
	c.Dial = inBites(g.gathers(unscheduled(c.Dial)))
	httpClient, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("client of the API server: %w", err)
	}
	client, err := rest.UnversionedRESTClientForConfigAndClient(c, httpClient)
	if err != nil {
		return nil, fmt.Errorf("client of the API server: %w", err)
	}
	return &Client{client, g, httpClient.Transport}, nil
}

// Hurry has events read as they come, without others being waited for, until end is called, which may be called again.
// It is safe for concurrent use.
func (c *Client) Hurry() (end func()) { return c.hurry() }

// Release closes the connections, once nothing uses the client any more. They would
// stay for a minute and a half otherwise, since no other client shares them.
func (c *Client) Release() { utilnet.CloseIdleConnectionsFor(c.transport) }

// debugHandler lowers everything to the debug level: client-go reports as an
// error, each time it tries, what the Source itself logs once.
type debugHandler struct{ slog.Handler }

func (h debugHandler) Enabled(ctx context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h debugHandler) Handle(ctx context.Context, r slog.Record) error {
	if !h.Enabled(ctx, slog.LevelDebug) {
		return nil
	}
	r.Level = slog.LevelDebug
	return h.Handler.Handle(ctx, r)
}

func (h debugHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return debugHandler{h.Handler.WithAttrs(attrs)}
}

func (h debugHandler) WithGroup(name string) slog.Handler {
	return debugHandler{h.Handler.WithGroup(name)}
}
