package watch

import (
	"fmt"
	"net"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/watch/batch"
)

// Media types that an API server may answer with.
const (
	// AcceptBoth prefers protobuf to JSON, for kinds that can be read from either.
	AcceptBoth = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	// AcceptJSON is for kinds that are read as JSON only.
	AcceptJSON = runtime.ContentTypeJSON
)

// dialTimeout and the interval of keep-alive probes are those of client-go.
const dialTimeout = 30 * time.Second

// Client sends the requests of Reflectors. Make one with NewClient. It is safe for concurrent use.
type Client struct {
	rest.Interface
	batcher   *batch.Batcher
	transport http.RoundTripper
}

// NewClient returns a client for Reflectors. Its requests are not bound to a group or version, and
// the only type it decodes is the Status of a failed request. The rate limits are those of config.
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
	batcher := new(batch.Batcher)
	c.Dial = batcher.Wrap(c.Dial)
	httpClient, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("client of the API server: %w", err)
	}
	client, err := rest.UnversionedRESTClientForConfigAndClient(c, httpClient)
	if err != nil {
		return nil, fmt.Errorf("client of the API server: %w", err)
	}
	return &Client{client, batcher, httpClient.Transport}, nil
}

// SuspendBatching delivers events without delay until resume is called, which may be called again.
func (c *Client) SuspendBatching() (resume func()) { return c.batcher.Suspend() }

// CloseIdleConnections closes the connections once nothing uses the client any more. They would
// stay open for a minute and a half otherwise, since no other client shares them.
func (c *Client) CloseIdleConnections() { utilnet.CloseIdleConnectionsFor(c.transport) }
