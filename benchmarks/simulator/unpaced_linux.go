package simulator

import "syscall"

// unpaced has the kernel send at once what a listener's connections write. Some
// congestion controls (BBR is the default of some machines) space packets by timers,
// which on loopback run in the reader's time: a measured exporter would pay for them.
// Every kernel has Reno, see tcp_congestion_control in tcp(7). Errors change nothing.
func unpaced(_, _ string, listener syscall.RawConn) error {
	return listener.Control(func(fd uintptr) {
		_ = syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "reno")
	})
}
