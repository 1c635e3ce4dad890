package web

import "net/http"

// Options are what the handlers of both ports have in common.
type Options struct {
	// Version is shown on the landing page; empty: none.
	Version string
	// MaxRequests is how many requests for the page of metrics are answered at once on a port; what is beyond is refused with
	// 503. Zero: any number.
	MaxRequests int
	// Profiling adds the profiles of the Go runtime, below /debug/pprof/, to the telemetry port. They show how the process
	// works inside and cost it time, so that they are for those who may see and do that.
	Profiling bool
	// Fleet is the page about the fleet. It is shown in place of the telemetry port's landing page, and gets all paths that begin
	// with /-/fleet; nil: there is none.
	Fleet http.Handler
	// FleetPort is the telemetry port, which the main port's landing page leads to; zero: it does not.
	FleetPort int
}
