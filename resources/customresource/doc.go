// Package customresource makes metrics of custom resources from the YAML configuration that
// kube-state-metrics calls CustomResourceStateMetrics, with the same result.
//
// [Parse] or [ParseStrict] read a [Config]. Joined with the definitions of the custom resources that
// exist it gives [Kind] values, each with the API resource to watch and the [Renderer] for its
// objects; a [DefinitionWatcher] keeps them up to date while definitions come and go.
//
// # Configuration
//
//	kind: CustomResourceStateMetrics
//	spec:
//	  resources:
//	  - groupVersionKind: {group: myteam.io, version: v1, kind: Foo}
//	    metricNamePrefix: myteam_foo   # default kube_customresource; "" for none
//	    resourcePlural: foos           # for an API without a CustomResourceDefinition
//	    labelSelector: a in (b,c)      # an extension, as the next one
//	    fieldSelector: metadata.name!=x
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
//	      seriesLimit: 1000            # an extension
//	      each:
//	        type: Gauge                # or StateSet, or Info
//	        gauge:
//	          path: [status, sub]      # a list gives a sample for each element, a map for each member
//	          labelFromKey: type       # the label for the member's name
//	          labelsFromPath: {}       # relative to the element or member
//	          valueFrom: [ready]       # relative to the element or member
//	          nilIsZero: false         # whether a missing value is 0, or no sample
//	        stateSet: {path: [status, phase], labelName: phase, list: [New, Done]}
//	        info: {path: [spec, refs], labelsFromPath: {ref: []}}
//
// Version and kind may be "*" or missing, which stands for all that are served. A path is a list of
// steps: the name of a member; the index of an element, counted from the end when negative;
// "[key=value]", the first element of a list whose member has the value; "key=value", the member if
// it is the text value. Lookups compare texts, and what a gauge would read: true finds "True", 1
// finds "1.0".
//
// A label whose key is "*" copies the members of a map, "prefix_*" copies them with a prefix. They
// replace common labels only if the filter says CopiedLabelsWin. Labels with a path of their own
// replace both, and those of each replace those of the metric and the resource. The labels
// customresource_group, customresource_version and customresource_kind are always those of the
// object. Names are made valid by underscores.
//
// # Maps
//
// A gauge whose path ends at a map gives a sample for each member that has a number. A valueFrom of
// one step may also name a member of the map itself. The sample's labels are labelFromKey, then
// labelsFromPath of the member, then labelsFromPath of the map; of equal names the last one counts.
// Without valueFrom, members that are not numbers are no issue.
//
// An info gives one sample for the map as a whole, without labelFromKey, and one for each member,
// as far as these have labels. A state set takes a map as a whole.
//
// # Extensions
//
// kube-state-metrics does not have these; [ParseStrict] refuses them. The group may be a built-in one,
// "" for the core group, so that any field of such a kind can become a metric. Kinds without a
// definition have the plural and the scope that the API server's discovery says. The labelSelector and
// the fieldSelector of an entry restrict its objects; entries of one kind whose selectors differ are
// kinds of their own, and share no family. The seriesLimit of a metric is for the user of the
// [Renderer] to keep; see [Renderer.SeriesLimits].
//
// # Secrets
//
// Of Secrets only the metadata and the type can be read, of ConfigMaps only the metadata. Another path
// is refused, nothing else is decoded, and the Form of a [Kind] asks for nothing else.
//
// The annotation kubectl.kubernetes.io/last-applied-configuration is treated as if it were not
// there, in the object's own metadata and in objects that it embeds. A path that names it is
// refused.
//
// # Faults of the configuration
//
// [Parse] refuses what would make a page invalid and what kube-state-metrics itself cannot read.
// What kube-state-metrics tolerates, such as an unknown key or a metric without samples, is in
// [Config.Warnings], with place and line, and the rest is served. [ParseStrict] refuses that, too.
// Metrics without a label that identifies the object, whose series several objects would share, are
// warnings for both.
//
// # Issues of objects
//
// Where kube-state-metrics overwrites or repeats, this package merges: entries with the same or
// overlapping groupVersionKind are joined, several metrics of one name are one family, and a series
// that one object names twice is written once. A family that a built-in kind has is refused; see
// [Config.CheckNames].
//
// A value that can't be used is counted, and a line in the log says what is wrong with which
// metric: once for each metric, kind and reason, however many objects there are. errorLogV, of the
// metric or else of the resource, is the line's level: info when it is 0, debug when it is more. A
// path that leads nowhere is logged, too, but not counted, because most fields are optional.
package customresource
