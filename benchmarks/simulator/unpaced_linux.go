package simulator

import "syscall"

// disablePacing makes the kernel send the data of a listener's connections immediately.
// Some congestion controls (BBR is the default on some machines) space packets with
// timers. On loopback, these run in the CPU time of the reader, so a measured exporter
// would pay for them. Every kernel has Reno, see tcp_congestion_control in tcp(7).
// Errors are ignored.
func disablePacing(_, _ string, listener syscall.RawConn) error {
	return listener.Control(func(fd uintptr) {
		_ = syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "reno")
	})
}
