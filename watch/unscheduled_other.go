//go:build !linux || race

package watch

import "net"

// unscheduled returns how conn is read.
func unscheduled(conn net.Conn) func(p []byte) (int, error) { return conn.Read }
