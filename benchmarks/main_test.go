package main

import (
	"bytes"
	"strings"
	"testing"
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
