package config

import "time"

func (c *Config) declareHTTP(s *section) {
	s.flag("host", "Address to expose the metrics on; default: all addresses.").Default("::").StringVar(&c.raw.host)
	s.value("port", "Port to expose the metrics on.", intValue(&c.raw.port, 0)).Default("8080")
	s.flag("telemetry-host", "Address to expose metrics about statefleet itself on; default: all addresses.").Default("::").
		StringVar(&c.raw.telemetryHost)
	s.value("telemetry-port", "Port to expose metrics about statefleet itself on.", intValue(&c.raw.telemetryPort, 0)).Default("8081")
	s.value("web.listen-address", "Addresses to expose the metrics on, instead of --host and --port.",
		list{&c.raw.listenAddresses, splitNames, checkAddress}).PlaceHolder("HOST:PORT")
	s.flag("web.systemd-socket", "Expose the metrics on the sockets that systemd passes (Linux), instead of addresses and ports.").
		BoolVar(&c.SystemdSocket)
	s.flag("web.config.file", "File with TLS and basic authentication for all ports, in the format of Prometheus' exporter-toolkit.").
		PlaceHolder("FILE").StringVar(&c.WebConfigFile)
	s.flag("tls-config", "The name that kube-state-metrics has for --web.config.file.").PlaceHolder("FILE").StringVar(&c.raw.tlsConfig)
	c.declareAuth(s)
	c.declareClientLimits(s)
	s.flag("telemetry.pprof", "Expose profiles of the Go runtime on the telemetry port, below /debug/pprof/.").BoolVar(&c.Profiling)
	s.flag("enable-gzip-encoding", "Accepted for compatibility: clients that accept gzip always get it.").
		Default("true").BoolVar(&c.raw.gzip)
	c.declareTimeouts(s)
	s.markImmutable(s.names...)
}

func (c *Config) declareAuth(s *section) {
	s.flag("auth-filter", "Require a bearer token that the API server accepts and that is allowed to get the path, on all ports and paths except "+
		"/healthz, /livez and /readyz. See docs/security.md for the RBAC rules it needs.").BoolVar(&c.AuthFilter)
	s.value("auth-filter.audience", "Audiences, such as statefleet, of which a token must have at least one; default: the API server's own. "+
		"Requires --auth-filter.", list{&c.Audiences, splitNames, nil}).PlaceHolder("AUDIENCE,...")
	s.value("auth-filter.path-prefix", "Prefix of the non-resource URLs that a caller must be allowed to get. With /statefleet, the right to get "+
		"/statefleet/metrics is the right to scrape. Default: no prefix. Requires --auth-filter.",
		textValue(&c.PathPrefix, checkPathPrefix)).PlaceHolder("/PATH")
}

func (c *Config) declareClientLimits(s *section) {
	s.value("web.max-requests", "Maximum number of requests for metrics that each port answers at once; further ones get 503. One client address "+
		"gets a further request only while it has fewer than are free, so at most half of them. 0: no limit.",
		intValue(&c.MaxRequests, 0)).Default("40")
	s.value("web.max-connections", "Maximum number of client connections to each port. A further connection replaces an idle one; if there is none, "+
		"it can only send probes. The limit is lower if the process may open few files. 0: as many as it may open.",
		intValue(&c.Connections.Max, 0)).Default("512")
	s.value("web.max-connections-per-client", "Maximum number of connections from one client address, where an IPv6 /64 network is one address; at "+
		"most half of --web.max-connections. 0: no limit.", intValue(&c.Connections.PerClient, 0)).Default("128")
}

func (c *Config) declareTimeouts(s *section) {
	for _, t := range []struct {
		name, help string
		value      *time.Duration
	}{
		{"server-read-header-timeout", "Maximum time to read the headers of a request.", &c.Timeouts.ReadHeader},
		{"server-read-timeout", "Maximum time to read a request.", &c.Timeouts.Read},
		{"server-write-timeout", "Maximum time to write a response.", &c.Timeouts.Write},
		{"server-idle-timeout", "Maximum time to wait for the next request on a connection.", &c.Timeouts.Idle},
	} {
		s.value(t.name, t.help+" 0: no limit.", durationValue(t.value)).Default(t.value.String())
	}
}
