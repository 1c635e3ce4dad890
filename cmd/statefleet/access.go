package main

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/web"
)

// loadWebConfig loads the web configuration file; nil if there is none.
func (s *settings) loadWebConfig(registry *prometheus.Registry) (*web.ConfigFile, error) {
	if s.webConfigFile == "" {
		return nil, nil
	}
	config, err := web.LoadConfigFile(s.webConfigFile, registry, s.logger)
	if err != nil {
		return nil, fmt.Errorf("--web.config.file: %w", err)
	}
	if config.HasUsers() && s.authFilter {
		return nil, fmt.Errorf("--auth-filter and --web.config.file: %s: basic_auth_users: a request has one Authorization header, "+
			"for a token or for a password", s.webConfigFile)
	}
	return config, nil
}

// checkAuth checks what goes with --auth-filter.
func (s *settings) checkAuth() error {
	s.audiences = splitNames(s.audiences)
	switch p := s.pathPrefix; {
	case !s.authFilter && len(s.audiences) > 0:
		return errors.New("--auth-filter.audience needs --auth-filter")
	case !s.authFilter && p != "":
		return errors.New("--auth-filter.path-prefix needs --auth-filter")
	case p != "" && (path.Clean(p) != p || !strings.HasPrefix(p, "/") || p == "/" || strings.ContainsAny(p, "*?#% ")):
		return fmt.Errorf("--auth-filter.path-prefix: must be a path such as /statefleet, without a slash at the end, got %q", p)
	}
	return nil
}

// connectionLimits returns the limits of each of so many servers, within what the process may open.
func (s *settings) connectionLimits(servers int) web.ConnectionLimits {
	limits := s.connections.WithinDescriptors(maxOpenFiles(), servers)
	if limits.Max < s.connections.Max {
		s.logger.Warn("--web.max-connections is more than the process may open", "asked", s.connections.Max, "used", limits.Max)
	}
	return limits
}

// makeAuth makes what checks callers, if someone is to.
func (p *process) makeAuth(config *rest.Config, registry *prometheus.Registry) (err error) {
	if !p.authFilter {
		return nil
	}
	if p.webConfigFile == "" {
		p.logger.Warn("--auth-filter without TLS: who can read the traffic can take the tokens; see --web.config.file")
	}
	p.auth, err = web.NewAuthFilter(config, web.AuthOptions{Audiences: p.audiences, PathPrefix: p.pathPrefix}, registry, p.logger)
	return err
}
