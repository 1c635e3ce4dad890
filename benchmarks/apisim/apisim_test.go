package apisim

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/statefleet/statefleet/benchmarks/command"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return command.Run(ctx, kingpin.New("benchmarks", ""), append([]string{"apisim"}, args...), stdout, stderr, Commands)
}

func TestServesUntilItIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	read, write := io.Pipe()
	var stderr bytes.Buffer
	exit := make(chan int, 1)
	go func() {
		exit <- run(ctx, []string{"--listen=127.0.0.1:0", "--pods=60", "--churn-updates=100", "--kubeconfig=" + kubeconfig}, write, &stderr)
		_ = write.Close() // never fails
	}()
	lines := bufio.NewScanner(read)
	if !lines.Scan() || !strings.Contains(lines.Text(), "66 of them pods") {
		t.Fatalf("got %q, want a line with the number of pods\n%s", lines.Text(), &stderr)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+"/api/v1/nodes", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	var nodes corev1.NodeList
	if err := runtime.DecodeInto(scheme.Codecs.UniversalDeserializer(), body, &nodes); err != nil || len(nodes.Items) != 2 {
		t.Errorf("got %d nodes, %v, want 2", len(nodes.Items), err)
	}
	cancel()
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "Served 1 lists") {
		t.Errorf("got %q, want the number of served lists", lines.Text())
	}
	if code := <-exit; code != command.OK {
		t.Errorf("got exit code %d, want %d: %s", code, command.OK, &stderr)
	}
}

func TestExitCodes(t *testing.T) {
	busy, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	f := func(want int, message string, args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), args, &stdout, &stderr)
		if code != want || !strings.Contains(stdout.String()+stderr.String(), message) {
			t.Errorf("%v: got exit code %d, want %d and a message with %q\n%s%s", args, code, want, message, &stdout, &stderr)
		}
	}
	f(command.OK, "--churn-jobs", "--help")
	f(command.Usage, "--nonsense", "--nonsense")
	f(command.Usage, "--pods", "--pods=-1")
	f(command.Usage, "--pods", "--pods")
	f(command.Usage, "many", "--pods=many")
	f(command.Usage, "--churn-jobs", "--churn-jobs=-1")
	f(command.Usage, "--churn-updates", "--churn-updates=-1")
	f(command.Usage, "--churn-heartbeats", "--churn-heartbeats=-1")
	f(command.Failure, "--listen", "--pods=0", "--listen="+busy.Addr().String())
	f(command.Failure, "--kubeconfig", "--pods=0", "--listen=127.0.0.1:0", "--kubeconfig=/dev/null/kubeconfig")
}
