package simulator

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// selector is what a list or a watch asks for.
type selector struct {
	namespace string // of the path; empty is all
	fields    fields.Selector
	labels    labels.Selector
	shard     shardSelector
}

const (
	fieldName      = "metadata.name"
	fieldNamespace = "metadata.namespace"
	fieldNodeName  = "spec.nodeName" // pods only
)

// newSelector takes the selectors of a request; sharded tells whether
// shardSelector is honoured. Errors are what a kube-apiserver answers.
func newSelector(kind Kind, key objectKey, options metainternalversion.ListOptions, sharded bool) (selector, error) {
	s := selector{namespace: key.namespace, fields: fields.Everything(), labels: labels.Everything()}
	if options.LabelSelector != nil {
		s.labels = options.LabelSelector
	}
	if options.FieldSelector != nil {
		s.fields = options.FieldSelector
	}
	for _, term := range s.fields.Requirements() {
		known := term.Field == fieldName || term.Field == fieldNamespace || (term.Field == fieldNodeName && kind.Resource == "pods")
		if !known {
			return s, apierrors.NewBadRequest("field label not supported: " + term.Field)
		}
	}
	if key.name != "" {
		s.fields = fields.AndSelectors(s.fields, fields.OneTermEqualSelector(fieldName, key.name))
	}
	if sharded && options.ShardSelector != "" {
		shard, err := parseShardSelector(options.ShardSelector)
		if err != nil {
			return s, fmt.Errorf("invalid shard selector: %w", err)
		}
		s.shard = shard
	}
	return s, nil
}

// everything is true when each object of the path is selected.
func (s selector) everything() bool {
	return s.fields.Empty() && s.labels.Empty() && s.shard.empty()
}

func (s selector) matches(o *object) bool {
	if s.namespace != "" && o.namespace != s.namespace {
		return false
	}
	if !s.shard.matches(o) || !s.fields.Matches(objectFields{o}) {
		return false
	}
	if s.labels.Empty() {
		return true
	}
	set, err := o.labels()
	return err == nil && s.labels.Matches(labels.Set(set))
}

// of is the part of a snapshot that is selected, at most limit objects if
// limit is positive; more tells whether objects of the path are left behind.
func (s selector) of(items snapshot, limit int64) (selected snapshot, more bool) {
	items = items.in(s.namespace)
	if s.everything() {
		if limit > 0 && int64(len(items)) > limit {
			return items[:limit], true
		}
		return items, false
	}
	if name, ok := s.exactKey(); ok {
		if i, found := items.search(name); found {
			items = items[i : i+1]
		} else {
			items = nil
		}
	}
	for i, o := range items {
		if !s.matches(o) {
			continue
		}
		if selected = append(selected, o); int64(len(selected)) == limit {
			return selected, i < len(items)-1
		}
	}
	return selected, false
}

// exactKey is set when the selector names one object, as the watch of a
// single object does.
func (s selector) exactKey() (objectKey, bool) {
	namespace := s.namespace
	var name string
	for _, term := range s.fields.Requirements() {
		if term.Operator == selection.NotEquals {
			continue
		}
		switch term.Field {
		case fieldName:
			name = term.Value
		case fieldNamespace:
			namespace = term.Value
		}
	}
	return objectKey{namespace: namespace, name: name}, name != "" && namespace != ""
}

// objectFields shows an object to a field selector.
type objectFields struct{ *object }

// Has implements fields.Fields.
func (f objectFields) Has(string) bool { return true }

// Get implements fields.Fields.
func (f objectFields) Get(field string) string {
	switch field {
	case fieldName:
		return f.name
	case fieldNamespace:
		return f.namespace
	case fieldNodeName:
		return f.nodeName
	default:
		return ""
	}
}
