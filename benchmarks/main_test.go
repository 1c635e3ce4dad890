package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/benchmarks/command"
)

func TestHelpNamesEverySubcommand(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, &stdout, &stderr); code != 0 {
		t.Fatalf("got exit code %d, want 0: %s", code, &stderr)
	}
	for _, name := range []string{
		"demo", "apisim", "families", "load targets", "load fleet", "load curve", "load rates", "compare", "architectures", "curves", "guard",
		"soak", "pressure", "attack",
	} {
		if !strings.Contains(stdout.String(), "\n"+name+" ") {
			t.Errorf("help does not list the subcommand %q:\n%s", name, &stdout)
		}
	}
}

func TestErrorsNameTheFlagOrFile(t *testing.T) {
	f := func(want int, message, args string) {
		t.Helper()
		var stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(args), &stderr, &stderr)
		if code != want || !strings.Contains(stderr.String(), message) {
			t.Errorf("%s: got exit code %d, want %d and a message with %q\n%s", args, code, want, message, &stderr)
		}
	}
	f(command.OK, "--churn-scrapes", "load targets --help")
	f(command.Usage, "--pods", "architectures --pods=0")
	f(command.Usage, "--refresh", "exporter --as=registry --kubeconfig=x --port=1 --refresh=0s")
	f(command.Failure, "no-such-file", "exporter --as=registry --kubeconfig=/no-such-file --port=1")
	f(command.Usage, "part", "curves")
	f(command.Failure, "no-such-file", "curves /no-such-file")
	f(command.Usage, "--pods", "load targets --pods=0")
	f(command.Usage, "--starts", "load targets --starts=0")
	f(command.Usage, "--args", "load fleet --args={{.Nothing}}")
	f(command.Usage, "--shards", "load fleet --shards=0")
	f(command.Usage, "--only", "load fleet --only=2")
	f(command.Usage, "--window", "load fleet --window=0s")
	f(command.Usage, "--at-rest", "load fleet --at-rest=0s")
	f(command.Usage, "--every", "load fleet --every=-1s")
	f(command.Failure, "/no/such/binary", "load fleet --pods=1 --binary=/no/such/binary")
	f(command.Usage, "--fleet", "load fleets --fleet=0")
	f(command.Usage, "--size", "load curve --fleet=1 --name=x")
	f(command.Usage, "--fleet", "load curve --size=1 --fleet=0 --name=x")
	f(command.Usage, "--rate", "load rates --rate=-1 --name=x")
	f(command.Usage, "--other", "compare")
	f(command.Usage, "--rounds", "compare --other=x --rounds=0")
	f(command.Usage, "--other-args", "compare --other=x --other-args={{.Nothing}}")
}
