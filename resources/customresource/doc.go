// Package customresource makes metrics of custom resources, as a configuration
// describes them: the YAML that kube-state-metrics calls
// CustomResourceStateMetrics, with the same metrics as a result.
//
// A [Config] is read by [Parse]. Joined with the definitions of the custom
// resources that exist it gives [Kind] values, each with the API resource to
// follow and the [Renderer] for its objects; a [Follower] keeps them up to date
// while definitions come and go.
//
// # Configuration
//
//	kind: CustomResourceStateMetrics
//	spec:
//	  resources:
//	  - groupVersionKind: {group: myteam.io, version: v1, kind: Foo}
//	    metricNamePrefix: myteam_foo   # default kube_customresource; "" for none
//	    resourcePlural: foos           # for an API without a CustomResourceDefinition
//	    errorLogV: 0                   # more than 0: faults are logged at debug level
//	    commonLabels: {team: a}        # on every sample
//	    labelsFromPath:                # on every sample, read from the object
//	      name: [metadata, name]
//	      "label_*": [metadata, labels]
//	    metrics:
//	    - name: ready
//	      help: Foos that are ready.
//	      commonLabels: {}             # these three win over the resource's
//	      labelsFromPath: {}
//	      errorLogV: 0                 # unless it is 0
//	      each:
//	        type: Gauge                # or StateSet, or Info
//	        gauge:
//	          path: [status, sub]      # a list gives a sample for each element
//	          labelFromKey: type       # a map gives one for each member, named by this label
//	          labelsFromPath: {}       # relative to path
//	          valueFrom: [ready]       # relative to path
//	          nilIsZero: false         # whether a missing value is 0, or no sample
//	        stateSet: {path: [status, phase], labelName: phase, list: [New, Done]}
//	        info: {path: [spec, refs], labelsFromPath: {ref: []}}
//
// Version and kind may be "*", which stands for all that are served. A path is
// a list of steps: the name of a member; the index of an element, counted from
// the end when negative; "[key=value]", the first element of a list whose member
// equals the value; "key=value", the member if it equals the value.
//
// A label whose key is "*" copies the members of a map, "prefix_*" copies them
// with a prefix. They win over common labels, labels with a path of their own
// over both, and those of each over those of the metric and the resource. The
// labels customresource_group, customresource_version and customresource_kind
// are always those of the object. Names are made valid by underscores.
//
// Where kube-state-metrics overwrites or repeats, this package merges: entries
// with the same or overlapping groupVersionKind are joined, several metrics of
// one name are one family, and a series that one object names twice is written
// once. A family that a built-in kind has is refused; see [Config.CheckNames].
//
// A value that can't be used is counted, and a line in the log says what is wrong
// with which metric: once for each metric, kind and reason, however many objects
// there are. errorLogV, of the metric or else of the resource, is the line's
// level: info when it is 0, debug when it is more. A path that leads nowhere is
// logged alike, but not counted, because most fields are optional.
package customresource
