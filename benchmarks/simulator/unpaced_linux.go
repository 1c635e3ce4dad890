package simulator

import "syscall"

// unpaced has the kernel send what a listener's connections write at once. Some congestion
// controls (BBR is the default of some machines) space packets by timers, which run on
// loopback in the time of the one who reads: an exporter would be charged for the
// simulator's sending. Reno is in every kernel, see tcp_congestion_control in tcp(7); where
// it can't be had they send as ever.
func unpaced(_, _ string, listener syscall.RawConn) error {
	return listener.Control(func(fd uintptr) {
		_ = syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "reno")
	})
}
