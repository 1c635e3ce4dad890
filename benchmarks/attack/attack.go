package attack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const maxMemory = 512 // MiB, resident

// attack is an attack by a tenant of the cluster or by a client of the exporter.
type attack struct {
	name string
	// flags are further flags of statefleet.
	flags []string
	// descriptors is the limit of file descriptors of the process; 0 means that of this program.
	descriptors int
	// tls makes statefleet serve TLS. tokens makes it require bearer tokens.
	tls, tokens bool
	// custom makes statefleet export the custom resource.
	custom bool
	// duration is the minimum duration of the attack; 0 means that of --each.
	duration time.Duration
	// run attacks until ctx ends, which is not an error. It returns a description for the table.
	run func(ctx context.Context, s *system) (did string, err error)
	// check checks the state after the attack; nil checks nothing.
	check func(ctx context.Context, s *system) error
}

func attacks() []attack {
	return slices.Concat(objectAttacks(), connectionAttacks(), readerAttacks())
}

// runAll runs the attacks one after the other, each against a new process, and writes a table.
func runAll(ctx context.Context, o options, out io.Writer) error {
	var failed []error
	_, _ = fmt.Fprintf(out, "%-24s %9s %9s %9s %8s  %s\n", "attack", "scrapes", "probes", "peak", "slowest", "what it did")
	for _, a := range attacks() {
		if !o.only.MatchString(a.name) {
			continue
		}
		if err := runOne(ctx, o, a, out); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", a.name, err))
		}
	}
	return errors.Join(failed...)
}

func runOne(ctx context.Context, o options, a attack, out io.Writer) error {
	s, err := newSystem(ctx, o, a)
	if err != nil {
		return err
	}
	defer s.stop()
	honest := s.startHonest(ctx)
	duration := o.each
	if !o.brief {
		duration = max(o.each, a.duration)
	}
	attacking, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	did, err := a.run(attacking, s)
	if err != nil {
		return errors.Join(err, honest.stop().err)
	}
	<-attacking.Done()
	if a.check != nil {
		err = a.check(ctx, s)
	}
	seen := honest.stop()
	usage, usageErr := s.replica.Usage()
	_, _ = fmt.Fprintf(out, "%-24s %9s %9s %5d MiB %8s  %s\n",
		a.name, seen.scrapes, seen.probes(), usage.Peak>>20, seen.slowest.Round(time.Millisecond), did)
	if usage.Peak > maxMemory<<20 {
		err = errors.Join(err, fmt.Errorf("peak of resident memory is %d MiB, want at most %d MiB", usage.Peak>>20, maxMemory))
	}
	if err = errors.Join(err, usageErr, seen.verdict()); err != nil {
		lines := strings.Split(strings.TrimSpace(s.replica.Log()), "\n")
		err = fmt.Errorf("%w\n%s", err, strings.Join(lines[max(0, len(lines)-5):], "\n"))
	}
	return err
}
