//go:build linux && !race

package watch

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// unscheduled returns a function that reads conn as its Read does, but does not tell
// Go's scheduler that there is a system call. What the scheduler then does for calls
// that may block (among others it wakes a thread that looks after them, once for each
// time that the process was idle) costs more than the read, and a socket's descriptor
// does not block. The race detector needs to see reads: without it alone.
func unscheduled(conn net.Conn) func(p []byte) (int, error) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return conn.Read
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return conn.Read
	}
	return func(p []byte) (int, error) {
		if len(p) == 0 {
			return 0, nil
		}
		var n int
		var errno syscall.Errno
		err := raw.Read(func(fd uintptr) (done bool) {
			n, errno = readNow(fd, p)
			return errno != syscall.EAGAIN
		})
		switch {
		case err != nil:
			return 0, err
		case errno != 0:
			return 0, &net.OpError{
				Op: "read", Net: conn.LocalAddr().Network(), Source: conn.LocalAddr(), Addr: conn.RemoteAddr(),
				Err: os.NewSyscallError("read", errno),
			}
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
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
