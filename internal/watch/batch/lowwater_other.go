//go:build !linux

package batch

import "net"

// setLowWater does nothing where sockets have no such option.
func setLowWater(net.Conn, int) {}
