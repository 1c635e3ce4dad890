package main

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/statefleet/statefleet/internal/testing/exporter"
)

// startWithSockets starts the program as systemd does: it inherits open sockets, with descriptors from 3 on.
func startWithSockets(t *testing.T, log *exporter.Buffer, sockets []*os.File, args ...string) *exec.Cmd {
	t.Helper()
	const script = `export LISTEN_PID=$$; exec statefleet "$@"` // the shell's process becomes the program
	c := exec.CommandContext(t.Context(), "sh", append([]string{"-c", script, "sh"}, args...)...)
	c.Env = append(os.Environ(), "LISTEN_FDS="+strconv.Itoa(len(sockets)))
	c.ExtraFiles, c.Stderr = sockets, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSystemdSockets(t *testing.T) {
	_, api := exporter.Cluster(t)
	var sockets []*os.File
	var addresses []string
	for range 2 {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		socket, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = socket.Close() }()
		sockets, addresses = append(sockets, socket), append(addresses, l.Addr().String())
	}
	p := exporter.New()
	child := startWithSockets(t, &p.Log, sockets, api, "--resources=jobs", "--telemetry-host=127.0.0.1", "--telemetry-port=0", "--web.systemd-socket")
	for _, p.Metrics = range addresses {
		p.Samples(t)
	}
	p.Client.CloseIdleConnections()
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Errorf("the program ended with %v; its log:\n%s", err, p.Log.String())
	}
}

func TestSystemdSocketsMustAcceptConnections(t *testing.T) {
	packets, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packets.Close() }()
	socket, err := packets.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	var log exporter.Buffer
	child := startWithSockets(t, &log, []*os.File{socket}, "--apiserver=http://127.0.0.1:9", "--telemetry-port=0", "--web.systemd-socket")
	if err := child.Wait(); err == nil || child.ProcessState.ExitCode() != exitFailure {
		t.Errorf("ended with %v, want exit status %d", err, exitFailure)
	}
	if text := log.String(); !strings.Contains(text, "--web.systemd-socket: socket 1 of 1 that were passed does not accept connections") {
		t.Errorf("got the error %q", text)
	}
}
