package main

import (
	"context"
	"fmt"
)

// answerAttacks come from a server that answers in the place of the API server, as an extension of it may.
func answerAttacks() []attack {
	return []attack{{
		name: "growing-error", judge: showsBystander,
		play: func(ctx context.Context, s *site) (string, error) {
			s.api.failing.Store(true)
			defer s.api.failing.Store(false)
			s.cluster.Compact()
			s.cluster.CloseWatches()
			<-ctx.Done()
			return fmt.Sprintf("%d errors of 4 MB that say 4 GB", s.api.failed.Load()), nil
		},
	}}
}
