package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports below the range from which systems take the local ports of outgoing connections: one that is free now stays free
// while the program that will listen on it starts, or is stopped for a while.
const (
	firstPort = 15000
	lastPort  = 32000
)

// FreePorts returns n different TCP ports on which nothing listens at the given host.
func FreePorts(host string, n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			continue
		}
		defer listener.Close() // held until all are chosen, so that no port is given twice
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no free port found on %s", host)
}
