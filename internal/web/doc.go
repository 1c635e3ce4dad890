// Package web is the HTTP side of a replica: the page of metrics, the health of the process, and the numbers
// about itself.
//
// [Handler] is what Prometheus scrapes. It negotiates format and encoding, and asks an [Exporter] for a [Page]
// whose size is known before its first byte is sent. It fails closed: as long as the exporter is not ready the
// answer is 503 with the reason, since a target that is down is seen by an alert while a page that lacks series
// is not. A page that cannot be written to its end is shorter than its Content-Length says, so that no client
// takes it for a whole one.
//
// [TelemetryHandler] shows the process's own metrics. Both serve the same health paths:
//
//	/healthz  the process is alive
//	/livez    the same; it never depends on the API server, an outage there must not restart the fleet
//	/readyz   the page would be served now; otherwise 503 and the reason
//
// [AuthFilter] puts itself in front of a handler and admits whom the API server knows and allows, to every path but those for
// health.
//
// [Server] puts a handler on listeners until a context ends. It knows TLS and basic authentication from the web
// configuration file that all Prometheus exporters share.
package web
