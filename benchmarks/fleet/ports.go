package fleet

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports are below the ephemeral port range, from which systems take the local ports of outgoing
// connections. So a free port stays free until the program that gets it listens, and while it restarts.
const (
	firstPort = 15000
	lastPort  = 32000
)

// FreePorts returns n different TCP ports of host that are free.
func FreePorts(host string, n int) ([]int, error) {
	ports, release, err := ReservePorts(host, n)
	release()
	return ports, err
}

// ReservePorts returns ports as [FreePorts] does, but no other call on this machine returns them before
// release is called. Without a reservation, two programs could get the same port before either listens.
// Call release after an error as well.
func ReservePorts(host string, n int) (ports []int, release func(), err error) {
	// No program of the tests listens on UDP, so a UDP port serves as the lock for the TCP port with the same number.
	var locks []net.PacketConn
	release = func() {
		for _, lock := range locks {
			_ = lock.Close()
		}
	}
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		address := net.JoinHostPort(host, strconv.Itoa(port))
		lock, err := net.ListenPacket("udp", address) //nolint:noctx // does not block
		if err != nil {
			continue
		}
		listener, err := net.Listen("tcp", address) //nolint:noctx // does not block
		if err != nil {
			_ = lock.Close()
			continue
		}
		_ = listener.Close()
		locks = append(locks, lock)
		if ports = append(ports, port); len(ports) == n {
			return ports, release, nil
		}
	}
	return nil, release, fmt.Errorf("no free port found on %s", host)
}
