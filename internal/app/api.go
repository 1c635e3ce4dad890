package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	versioninfo "github.com/prometheus/common/version"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // auth-provider: oidc in kubeconfigs
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/statefleet/statefleet/internal/config"
	"github.com/statefleet/statefleet/internal/watch"
)

// newRESTConfig returns how to reach the API server. It sends no request. Errors name the flags.
func newRESTConfig(c *config.Config, logger *slog.Logger) (r *rest.Config, err error) {
	if c.Kubeconfig == "" && c.APIServer == "" {
		r, err = rest.InClusterConfig()
	} else {
		r, err = clientcmd.BuildConfigFromFlags(c.APIServer, c.Kubeconfig)
	}
	if err != nil {
		return nil, apiError(c, err)
	}
	r.QPS, r.Burst = float32(c.APIQPS), c.APIBurst
	r.ContentType = "application/vnd.kubernetes.protobuf"
	r.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	r.UserAgent = config.Name + "/" + version()
	r.Wrap(watch.LimitErrorBodies)
	r.WarningHandlerWithContext = apiWarnings{logger}
	return r, nil
}

// restConfig returns how this process reaches the API server. All of its clients share one log of
// outages.
func (p *process) restConfig(c *config.Config) (*rest.Config, error) {
	r, err := newRESTConfig(c, p.logger)
	if err != nil {
		return nil, err
	}
	r.Wrap(p.outages.Wrap)
	return r, nil
}

// NewClient returns a client of the API server. Errors name the flags.
func NewClient(c *config.Config, logger *slog.Logger) (*watch.Client, error) {
	r, err := newRESTConfig(c, logger)
	if err != nil {
		return nil, err
	}
	client, err := watch.NewClient(r, watch.AcceptBoth)
	return client, apiError(c, err)
}

// apiError names the flags that lead to the API server.
func apiError(c *config.Config, err error) error {
	switch {
	case err == nil:
		return nil
	case c.Kubeconfig != "" && c.APIServer != "":
		return fmt.Errorf("--kubeconfig, --apiserver: %w", err)
	case c.Kubeconfig != "":
		return fmt.Errorf("--kubeconfig: %w", err)
	case c.APIServer != "":
		return fmt.Errorf("--apiserver: %w", err)
	}
	return fmt.Errorf("no API server: --kubeconfig or --apiserver is required outside of a cluster: %w", err)
}

// apiWarnings logs the warnings of the API server, such as about deprecated versions, at debug
// level.
type apiWarnings struct{ logger *slog.Logger }

// HandleWarningHeaderWithContext implements [rest.WarningHandlerWithContext].
func (w apiWarnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, text string) {
	w.logger.DebugContext(ctx, "API server warns", "code", code, "text", text)
}

// version returns the version of the build, for people and servers.
func version() string { return cmp.Or(versioninfo.Version, "devel") }
