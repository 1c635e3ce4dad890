package simulator

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// selector is the part of a resource that a list or a watch asks for.
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

// everything is true when each object of the path is selected.
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

// page returns up to limit selected objects behind a key (all if limit is not
// positive), and how many objects of the namespace remain behind the last of them.
func (s selector) page(state snapshot, behind objectKey, limit int64) (items []*object, remaining int64) {
	if behind.compare(objectKey{namespace: s.namespace}) < 0 {
		behind = objectKey{namespace: s.namespace}
	}
	items = []*object{}
	for o := range state.all(behind) {
		switch {
		case s.namespace != "" && o.namespace != s.namespace:
			return items, remaining
		case limit > 0 && int64(len(items)) == limit:
			remaining++
		case o.objectKey != behind && s.matches(o):
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
