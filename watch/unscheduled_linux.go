//go:build linux && !race

package watch

import (
	"context"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// unscheduledConn is a connection whose reads do not tell Go's scheduler that there is
// a system call. What the scheduler does for calls that may block (among others it
// wakes a thread that looks after them, once for each time that the process was idle)
// costs more than the read, and a socket's descriptor does not block. The race detector
// has to see reads: built with it, connections are read as ever.
type unscheduledConn struct {
	net.Conn
	raw syscall.RawConn
}

// unscheduled makes the connections of dial such ones, if they are sockets.
func unscheduled(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		raw := socketOf(conn)
		if raw == nil {
			return conn, nil
		}
		return &unscheduledConn{conn, raw}, nil
	}
}

// SyscallConn implements [syscall.Conn].
func (c *unscheduledConn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// Read implements [net.Conn].
func (c *unscheduledConn) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	var errno syscall.Errno
	err = c.raw.Read(func(fd uintptr) (done bool) {
		n, errno = readNow(fd, p)
		return errno != syscall.EAGAIN
	})
	switch {
	case err != nil:
		return 0, err
	case errno != 0:
		return 0, &net.OpError{
			Op: "read", Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(),
			Err: os.NewSyscallError("read", errno),
		}
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// readNow is read(2) of a descriptor that does not block.
func readNow(fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
		if errno == 0 {
			return int(n), 0
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}
