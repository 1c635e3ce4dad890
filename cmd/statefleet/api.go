package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/common/version"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // auth-provider: oidc in kubeconfigs
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/statefleet/statefleet/internal/watch"
)

// apiConfig returns the way to the API server. It does not try it: a server that is away is waited for.
func (s *settings) apiConfig() (*rest.Config, error) {
	var config *rest.Config
	var err error
	if s.kubeconfig == "" && s.apiserver == "" {
		config, err = rest.InClusterConfig()
	} else {
		config, err = clientcmd.BuildConfigFromFlags(s.apiserver, s.kubeconfig)
	}
	if err != nil {
		return nil, s.apiError(err)
	}
	config.QPS, config.Burst = float32(s.apiQPS), s.apiBurst
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.UserAgent = "statefleet/" + release()
	config.Wrap(watch.LimitErrorBodies)
	config.WarningHandlerWithContext = apiWarnings{s.logger}
	return config, nil
}

// apiError names the flags that led to the API server.
func (s *settings) apiError(err error) error {
	switch {
	case s.kubeconfig != "" && s.apiserver != "":
		return fmt.Errorf("--kubeconfig, --apiserver: %w", err)
	case s.kubeconfig != "":
		return fmt.Errorf("--kubeconfig: %w", err)
	case s.apiserver != "":
		return fmt.Errorf("--apiserver: %w", err)
	default:
		return fmt.Errorf("no API server: outside of a cluster --kubeconfig or --apiserver is needed: %w", err)
	}
}

// apiWarnings logs the warnings in the API server's answers, of deprecated versions and the like, for who looks for them.
type apiWarnings struct{ logger *slog.Logger }

// HandleWarningHeaderWithContext implements [rest.WarningHandlerWithContext].
func (w apiWarnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, text string) {
	w.logger.DebugContext(ctx, "API server warns", "code", code, "text", text)
}

// release is the version that was built, for people and servers to read.
func release() string {
	if version.Version == "" {
		return "devel"
	}
	return version.Version
}
