// Package customresource exports metrics of custom resources. It reads the YAML configuration of kube-state-metrics,
// CustomResourceStateMetrics, and gives the same result.
//
// [Parse] and [ParseStrict] read a [Config]. Together with the existing definitions of custom resources it gives [Kind]
// values, each with the API resource to watch and the [Renderer] for its objects. A [DefinitionWatcher] keeps them up
// to date while definitions are added, changed and removed.
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
// Version and kind may be "*" or missing, which stands for all that are served. A path is a list of steps: the name of
// a member; the index of an element, counted from the end if negative; "[key=value]", the first element of a list whose
// member has the value; "key=value", the member if it is the text value. Lookups compare texts, and also the numbers
// that a gauge would have: true matches "True", 1 matches "1.0".
//
// A label whose key is "*" copies the members of a map, "prefix_*" copies them with a prefix. They replace common
// labels only if CopiedLabelsWin is set in the filter. Labels with a path of their own replace both, and those of each
// replace those of the metric and the resource. The labels customresource_group, customresource_version and
// customresource_kind are always those of the object. Invalid characters in names become underscores.
//
// # Maps
//
// A gauge whose path ends at a map gives a sample for each member that has a number. A valueFrom of one step may also
// name a member of the map itself. The sample's labels are labelFromKey, then labelsFromPath of the member, then
// labelsFromPath of the map; if names are equal, the last one counts. Without valueFrom, a member that is not a number
// is no issue.
//
// An info gives one sample for the map as a whole, without labelFromKey, and one for each member, but only if they have
// labels. A state set treats a map as a single value.
//
// # Extensions
//
// kube-state-metrics does not have these; [ParseStrict] rejects them. The group may be a built-in one, "" for the core
// group, so that any field of such a kind can become a metric. Kinds without a definition have the plural and the scope
// from the API server's discovery. The labelSelector and the fieldSelector of an entry restrict its objects. Entries of
// one kind with different selectors are kinds of their own, and share no family. The user of the [Renderer] must
// enforce the seriesLimit of a metric; see [Renderer.SeriesLimits].
//
// # Secrets
//
// Only the metadata and the type of Secrets, and the metadata of ConfigMaps, can be read. Any other path is rejected,
// nothing else is decoded, and the Form of a [Kind] requests nothing else.
//
// The annotation kubectl.kubernetes.io/last-applied-configuration is ignored, in the object's own metadata and in
// objects that it contains. A path that names it is rejected.
//
// # Errors of the configuration
//
// [Parse] rejects a configuration that would make the exposition invalid or that kube-state-metrics itself cannot read.
// Errors that kube-state-metrics tolerates, such as an unknown key or a metric without samples, are in
// [Config.Warnings], with place and line, and the rest is exported. [ParseStrict] rejects these, too. Metrics without a
// label that identifies the object, whose series several objects would share, are warnings for both.
//
// # Issues of objects
//
// Where kube-state-metrics overwrites or repeats, this package merges: entries with the same or overlapping
// groupVersionKind are joined, several metrics of one name are one family, and a series that one object gives twice is
// written once. A family that a built-in kind has is rejected; see [Config.CheckNames].
//
// A value that cannot be used is counted, and a log message states the metric and the reason: once for each metric,
// kind and reason, however many objects there are. The errorLogV of the metric, or else of the resource, is the level
// of the message: info if it is 0, debug if it is greater. A path that leads nowhere is also logged, but not counted,
// because most fields are optional.
package customresource
