package watch

import (
	"net"
	"syscall"
)

// socketOf returns the socket of a connection; nil if it has none that can be reached.
func socketOf(conn net.Conn) syscall.RawConn {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
