// The rules and the dashboard as a mixin, for users who generate theirs with Jsonnet. The mixin has the fields of
// kubernetes-mixin and can be used together with it: docs/migration.md has an example. Its rules and panels are those
// of rules.yaml and dashboard.json.
local job = 'job="kube-state-metrics"';

{
  _config+:: {
    // Matcher of all series of the fleet, those of objects and its own. Each selector contains it between its braces.
    kubeStateMetricsSelector: job,
  },

  local selected(text) = std.strReplace(text, job, $._config.kubeStateMetricsSelector),

  // The groups of rules.yaml, with only the rules that have the given field, and without empty groups.
  local groups(field) = [
    group { rules: rules }
    for group in std.parseYaml(importstr 'rules.yaml').groups
    for rules in [[rule { expr: selected(super.expr) } for rule in group.rules if std.objectHas(rule, field)]]
    if std.length(rules) > 0
  ],

  prometheusRules+:: { groups+: groups('record') },
  prometheusAlerts+:: { groups+: groups('alert') },

  grafanaDashboards+:: {
    // Only the description of one panel contains the job. The queries take it from a variable.
    local text = std.strReplace(importstr 'dashboard.json', quoted(job), quoted($._config.kubeStateMetricsSelector)),
    local quoted(s) = std.substr(std.escapeStringJson(s), 1, std.length(std.escapeStringJson(s)) - 2),
    'statefleet.json': std.parseJson(text),
  },
}
