package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestHelpNamesEverySubcommand(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	for _, name := range []string{
		"demo", "apisim", "page", "load targets", "load fleet", "load curve", "load rates", "compare", "architectures", "curves", "guard",
		"soak", "pressure", "attack",
	} {
		if !strings.Contains(stdout.String(), "\n"+name+" ") {
			t.Errorf("no subcommand %q in\n%s", name, &stdout)
		}
	}
}
