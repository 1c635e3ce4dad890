package prometheus

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/rules"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// evaluate starts the evaluation of the rules that this repository ships. Alerts are not sent anywhere.
func (s *Server) evaluate(ctx context.Context, o Options, registry *prometheus.Registry) error {
	root, err := fleet.Root()
	if err != nil {
		return err
	}
	s.rules = rules.NewManager(&rules.ManagerOptions{
		ExternalURL: &url.URL{}, QueryFunc: rules.EngineQueryFunc(s.engine, s.db), Context: ctx,
		NotifyFunc:   func(context.Context, string, ...*rules.Alert) {},
		AppendableV2: s.db, Queryable: s.db, Logger: o.Log, Registerer: registry, Parser: promQL(),
	})
	s.running.Go(s.rules.Run)
	return s.rules.Update(o.Interval, []string{filepath.Join(root, shippedRules)}, labels.EmptyLabels(), "", nil)
}

// Alert is an alert of the shipped rules.
type Alert struct {
	Name, Summary string
	Firing        bool // false: pending
	Since         time.Time
}

// Alerts returns the alerts that are pending or firing at present.
func (s *Server) Alerts() []Alert {
	if s.rules == nil {
		return nil
	}
	var all []Alert
	for _, rule := range s.rules.AlertingRules() {
		for _, alert := range rule.ActiveAlerts() {
			all = append(all, Alert{
				Name: rule.Name(), Summary: alert.Annotations.Get("summary"),
				Firing: alert.State == rules.StateFiring, Since: alert.ActiveAt,
			})
		}
	}
	return all
}

// RuleHealth returns the number of shipped rules whose last evaluation succeeded, the number of all shipped rules, and
// the errors of the others.
func (s *Server) RuleHealth() (evaluated, all int, err error) {
	var errs []error
	for _, rule := range s.rules.Rules() {
		all++
		if rule.Health() == rules.HealthGood {
			evaluated++
		}
		if err := rule.LastError(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", rule.Name(), err))
		}
	}
	return evaluated, all, errors.Join(errs...)
}
