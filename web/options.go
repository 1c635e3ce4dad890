package web

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
}
