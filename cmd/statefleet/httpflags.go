package main

import "time"

func (f *flags) declareHTTP(s *section) {
	s.flag("host", "Address to expose the metrics on; default: all.").Default("::").StringVar(&f.host)
	s.value("port", "Port to expose the metrics on.", whole(&f.port, 0)).Default("8080")
	s.flag("telemetry-host", "Address to expose metrics about statefleet itself on; default: all.").Default("::").
		StringVar(&f.telemetryHost)
	s.value("telemetry-port", "Port to expose metrics about statefleet itself on.", whole(&f.telemetryPort, 0)).Default("8081")
	s.flag("web.listen-address", "Addresses to expose the metrics on, instead of --host and --port.").
		PlaceHolder("HOST:PORT").StringsVar(&f.listenAddresses)
	s.flag("web.systemd-socket", "Expose the metrics on the sockets that systemd passes (Linux), instead of addresses and ports.").
		BoolVar(&f.systemdSocket)
	s.flag("web.config.file", "File with TLS and basic authentication for all ports; see the exporter-toolkit of Prometheus.").
		PlaceHolder("FILE").StringVar(&f.webConfigFile)
	s.flag("tls-config", "The same, under the name that kube-state-metrics gives to it.").PlaceHolder("FILE").StringVar(&f.tlsConfig)
	f.declareAuth(s)
	f.declareClientLimits(s)
	s.flag("telemetry.pprof", "Show profiles of the Go runtime on the telemetry port, below /debug/pprof/.").BoolVar(&f.profiling)
	s.flag("enable-gzip-encoding", "Accepted for compatibility: clients that accept gzip always get it.").
		Default("true").IsSetByUser(&f.gzipSet).BoolVar(&f.gzip)
	f.declareTimeouts(s)
	s.fix(s.names...)
}

func (f *flags) declareAuth(s *section) {
	s.flag("auth-filter", "Answer only bearers of a token that the API server accepts and allows to get the path, on all ports and paths but "+
		"/healthz, /livez and /readyz. See docs/security.md for the rights that it takes.").BoolVar(&f.authFilter)
	s.flag("auth-filter.audience", "Audiences of which a token must have at least one, such as statefleet; default: the API server's own. "+
		"With --auth-filter.").PlaceHolder("AUDIENCE,...").StringsVar(&f.audiences)
	s.flag("auth-filter.path-prefix", "Text before the path of a request in the non-resource URL that a caller has to be allowed to get, such as "+
		"/statefleet: /statefleet/metrics is then the right to scrape. Default: the path alone. With --auth-filter.").
		PlaceHolder("/PATH").StringVar(&f.pathPrefix)
}

func (f *flags) declareClientLimits(s *section) {
	s.value("web.max-requests", "Requests for a page of metrics to answer at once, on each port; what is beyond is answered 503. One client address gets "+
		"a further one only while it has fewer than are free, so half of them at most. 0: any number.", whole(&f.maxRequests, 0)).Default("40")
	s.value("web.max-connections", "Connections of clients to hold open, on each port. A further one takes the place of an idle one; if there is none, "+
		"it is answered probes only. Less if the process may open few files. 0: as many as it may open.",
		whole(&f.connections.Max, 0)).Default("512")
	s.value("web.max-connections-per-client", "The same for one client address, an IPv6 /64 network being one, and at most half of "+
		"--web.max-connections. 0: any number.", whole(&f.connections.PerClient, 0)).Default("128")
}

func (f *flags) declareTimeouts(s *section) {
	for _, t := range []struct {
		name, help string
		value      *time.Duration
	}{
		{"server-read-header-timeout", "Time for a client to send the headers of a request.", &f.timeouts.ReadHeader},
		{"server-read-timeout", "Time for a client to send a request.", &f.timeouts.Read},
		{"server-write-timeout", "Time for a client to read an answer.", &f.timeouts.Write},
		{"server-idle-timeout", "Time a connection may wait for its next request.", &f.timeouts.Idle},
	} {
		s.value(t.name, t.help+" 0: any.", duration(t.value)).Default(t.value.String())
	}
}
