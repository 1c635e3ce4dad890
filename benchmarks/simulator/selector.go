package simulator

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// selector selects the objects of a resource that a list or a watch returns.
type selector struct {
	namespace string // from the path; empty selects all
	fields    fields.Selector
	labels    labels.Selector
	shard     shardSelector
}

const (
	fieldName      = "metadata.name"
	fieldNamespace = "metadata.namespace"
	fieldNodeName  = "spec.nodeName" // pods only
)

// newSelector returns the selector of a request. sharded reports whether the
// parameter shardSelector is honoured. The errors are those of a kube-apiserver.
func newSelector(kind *Kind, key objectKey, options metainternalversion.ListOptions, sharded bool) (selector, error) {
	s := selector{namespace: key.namespace, fields: fields.Everything(), labels: labels.Everything()}
	if options.LabelSelector != nil {
		s.labels = options.LabelSelector
	}
	if options.FieldSelector != nil {
		s.fields = options.FieldSelector
	}
	for _, term := range s.fields.Requirements() {
		switch {
		case term.Field == fieldName, term.Field == fieldNamespace:
		case term.Field == fieldNodeName && kind.Resource == "pods":
		default:
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

// everything reports whether every object under the path is selected.
func (s selector) everything() bool {
	return s.fields.Empty() && s.labels.Empty() && s.shard.empty()
}

func (s selector) matches(o *object) bool {
	if s.namespace != "" && o.namespace != s.namespace {
		return false
	}
	if !s.shard.matches(o) || !s.fields.Matches(o) {
		return false
	}
	if s.labels.Empty() {
		return true
	}
	metadata, err := o.metadata()
	return err == nil && s.labels.Matches(labels.Set(metadata.Labels))
}

// page returns up to limit selected objects after a key (all if limit is not
// positive). remaining is the number of objects of the namespace, selected or not,
// that follow the last one.
func (s selector) page(state snapshot, after objectKey, limit int64) (items []*object, remaining int64) {
	if after.compare(objectKey{namespace: s.namespace}) < 0 {
		after = objectKey{namespace: s.namespace}
	}
	items = []*object{}
	for o := range state.all(after) {
		switch {
		case s.namespace != "" && o.namespace != s.namespace:
			return items, remaining
		case limit > 0 && int64(len(items)) == limit:
			remaining++
		case o.objectKey != after && s.matches(o):
			items = append(items, o)
		}
	}
	return items, remaining
}

// Has implements fields.Fields for field selectors.
func (o *object) Has(string) bool { return true }

// Get implements fields.Fields.
func (o *object) Get(field string) string {
	switch field {
	case fieldName:
		return o.name
	case fieldNamespace:
		return o.namespace
	case fieldNodeName:
		return o.nodeName
	}
	return ""
}
