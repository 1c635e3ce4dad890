// Command pause holds the namespaces of a pod, or of a node, as their process 1: it waits for a signal, and reaps the processes
// whose parents have ended.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	arrived := make(chan os.Signal, 8)
	signal.Notify(arrived, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for <-arrived == syscall.SIGCHLD {
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
