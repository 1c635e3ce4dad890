//go:build !linux || 386

package watch

import "net"

// lowWater cannot be told here: the process is woken for whatever comes.
type lowWater struct{}

func lowWaterOf(net.Conn) lowWater { return lowWater{} }

func (lowWater) set(int32) {}
