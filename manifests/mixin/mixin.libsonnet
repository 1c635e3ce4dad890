// The rules and the dashboard as a mixin, for those who generate theirs with Jsonnet. It has the fields of kubernetes-mixin, and
// can stand beside it: docs/migration.md has an example. Rules and panels are those of rules.yaml and dashboard.json.
local job = 'job="kube-state-metrics"';

{
  _config+:: {
    // What selects the fleet's series, page and telemetry; it stands between the braces of every selector.
    kubeStateMetricsSelector: job,
  },

  local selected(text) = std.strReplace(text, job, $._config.kubeStateMetricsSelector),

  // The groups of rules.yaml with the rules that have the given field; groups without any are left out.
  local groups(field) = [
    group { rules: rules }
    for group in std.parseYaml(importstr 'rules.yaml').groups
    for rules in [[rule { expr: selected(super.expr) } for rule in group.rules if std.objectHas(rule, field)]]
    if std.length(rules) > 0
  ],

  prometheusRules+:: { groups+: groups('record') },
  prometheusAlerts+:: { groups+: groups('alert') },

  grafanaDashboards+:: {
    // One text names the job; the panels take it from a variable.
    local text = std.strReplace(importstr 'dashboard.json', quoted(job), quoted($._config.kubeStateMetricsSelector)),
    local quoted(s) = std.substr(std.escapeStringJson(s), 1, std.length(std.escapeStringJson(s)) - 2),
    'statefleet.json': std.parseJson(text),
  },
}
