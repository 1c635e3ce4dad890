package fleet

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports below the range from which systems take the local ports of outgoing connections: one that is
// free now stays free while the program that will listen on it starts, or is stopped for a while.
const (
	firstPort = 15000
	lastPort  = 32000
)

// FreePorts returns n different TCP ports on which nothing listens at the given host.
func FreePorts(host string, n int) ([]int, error) {
	ports, release, err := ReservePorts(host, n)
	release()
	return ports, err
}

// ReservePorts returns ports as FreePorts does, which no other caller is given before release: programs
// that start at the same time could be given the same one before either listens. Call release after an
// error as well.
func ReservePorts(host string, n int) (ports []int, release func(), err error) {
	var marks []net.PacketConn // nothing here listens on UDP, so a UDP port stands for the TCP port of the same number
	release = func() {
		for _, mark := range marks {
			_ = mark.Close()
		}
	}
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		address := net.JoinHostPort(host, strconv.Itoa(port))
		mark, err := net.ListenPacket("udp", address) //nolint:noctx // it does not wait
		if err != nil {
			continue
		}
		listener, err := net.Listen("tcp", address) //nolint:noctx // it does not wait
		if err != nil {
			_ = mark.Close()
			continue
		}
		_ = listener.Close()
		marks = append(marks, mark)
		if ports = append(ports, port); len(ports) == n {
			return ports, release, nil
		}
	}
	return nil, release, fmt.Errorf("no free port found on %s", host)
}
