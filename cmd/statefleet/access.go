package main

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/web"
)

// checkWebConfig reads the web configuration file and tells whether it asks for passwords.
func (s *settings) checkWebConfig() (passwords bool, err error) {
	passwords, err = web.ValidateConfig(s.webConfigFile)
	if err != nil {
		return false, fmt.Errorf("--web.config.file: %w", err)
	}
	if passwords && s.authFilter {
		return false, fmt.Errorf("--auth-filter and --web.config.file: %s: basic_auth_users: a request has one Authorization header, "+
			"for a token or for a password", s.webConfigFile)
	}
	return passwords, nil
}

// makeAuth makes what checks callers, if somebody is to.
func (p *process) makeAuth(config *rest.Config, registry *prometheus.Registry) (err error) {
	if !p.authFilter {
		return nil
	}
	if p.webConfigFile == "" {
		p.logger.Warn("--auth-filter without TLS: who can read the traffic can take the tokens; see --web.config.file")
	}
	p.auth, err = web.NewAuthFilter(config, registry, p.logger)
	return err
}
