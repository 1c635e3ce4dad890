package batch

import (
	"net"
	"syscall"
)

// setLowWater makes the kernel report a socket as readable only when it has so many bytes
// (SO_RCVLOWAT in socket(7)). Go registers sockets with epoll once, so without it each segment
// that arrives wakes a thread, although no read waits. A connection that has no socket, or a kernel
// that does not know the option, wakes as before.
func setLowWater(c net.Conn, bytes int) {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, bytes) })
}
