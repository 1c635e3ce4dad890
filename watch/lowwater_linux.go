//go:build !386

package watch

import (
	"net"
	"syscall"
	"unsafe"
)

// lowWater is how much has to come on a connection before the process is woken for it.
// Without that it is woken for whatever comes, also while nobody reads: Go has the kernel
// report every arrival. The zero value stands for a connection that cannot be told.
type lowWater struct{ raw syscall.RawConn }

// lowWaterOf returns that of a connection.
func lowWaterOf(conn net.Conn) lowWater { return lowWater{socketOf(conn)} }

// set makes it so many bytes; at 1 the process is woken at once for what is there. That
// the connection has ended always wakes it, and reads take what is there, however little.
// See SO_RCVLOWAT in socket(7). A kernel that does not know it wakes as ever. The call
// does not block, and is not told to Go's scheduler, as the reads of [unscheduled] are not.
func (l lowWater) set(bytes int32) {
	if l.raw == nil {
		return
	}
	_ = l.raw.Control(func(fd uintptr) { // it fails once the connection is closed
		_, _, _ = syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, fd, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT,
			uintptr(unsafe.Pointer(&bytes)), unsafe.Sizeof(bytes), 0)
	})
}
