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

// attack is what a tenant of the cluster or a client of the exporter does.
type attack struct {
	name string
	// flags are further arguments of statefleet.
	flags []string
	// descriptors is the number of file descriptors that the process may have; 0: as many as this program.
	descriptors int
	// tls and tokens are whether statefleet serves TLS, and whether it asks for tokens.
	tls, tokens bool
	// custom is whether it exports the custom resource.
	custom bool
	// lasts is for how long it is played, if that is longer than the others.
	lasts time.Duration
	// play attacks until ctx ends, which is no error. It returns what it did, for the table.
	play func(ctx context.Context, s *site) (did string, err error)
	// judge checks the state after the attack; nil: nothing in particular.
	judge func(ctx context.Context, s *site) error
}

func attacks() []attack {
	return slices.Concat(objectAttacks(), connectionAttacks(), readerAttacks())
}

// playAll plays the attacks one after the other, each against a process of its own, and writes a table.
func playAll(ctx context.Context, o options, out io.Writer) error {
	var failed []error
	_, _ = fmt.Fprintf(out, "%-24s %9s %9s %9s %8s  %s\n", "attack", "scrapes", "probes", "peak", "slowest", "what it did")
	for _, a := range attacks() {
		if !o.only.MatchString(a.name) {
			continue
		}
		if err := playOne(ctx, o, a, out); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", a.name, err))
		}
	}
	return errors.Join(failed...)
}

func playOne(ctx context.Context, o options, a attack, out io.Writer) error {
	s, err := newSite(ctx, o, a)
	if err != nil {
		return err
	}
	defer s.stop()
	honest := s.watchHonest(ctx)
	lasts := o.each
	if !o.brief {
		lasts = max(o.each, a.lasts)
	}
	attacking, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	did, err := a.play(attacking, s)
	if err != nil {
		return errors.Join(err, honest.stop().err)
	}
	<-attacking.Done()
	if a.judge != nil {
		err = a.judge(ctx, s)
	}
	seen := honest.stop()
	usage, usageErr := s.replica.Usage()
	_, _ = fmt.Fprintf(out, "%-24s %9s %9s %5d MiB %8s  %s\n",
		a.name, seen.scrapes, seen.probes(), usage.Peak>>20, seen.slowest.Round(time.Millisecond), did)
	if usage.Peak > o.memory<<20 {
		err = errors.Join(err, fmt.Errorf("the peak of resident memory is %d MiB, the limit is %d", usage.Peak>>20, o.memory))
	}
	if err = errors.Join(err, usageErr, seen.verdict()); err != nil {
		lines := strings.Split(strings.TrimSpace(s.replica.Log()), "\n")
		err = fmt.Errorf("%w\n%s", err, strings.Join(lines[max(0, len(lines)-5):], "\n"))
	}
	return err
}
