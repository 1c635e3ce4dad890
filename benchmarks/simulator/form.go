package simulator

import (
	"bufio"
	"slices"

	"github.com/munnerz/goautoneg"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// form is a wire form of the API. The methods return failures to encode; the
// writer keeps its own errors until it is flushed.
type form interface {
	mediaType() string
	streamType() string
	writeObject(w *bufio.Writer, kind Kind, o *object) error
	writeList(w *bufio.Writer, kind Kind, meta metav1.ListMeta, items snapshot) error
	writeEvent(w *bufio.Writer, kind Kind, typ watch.EventType, e *event) error
	// writeMessage and writeMessageEvent are for what is not in the store:
	// statuses, discovery documents and bookmarks.
	writeMessage(w *bufio.Writer, gvk schema.GroupVersionKind, m message) error
	writeMessageEvent(w *bufio.Writer, typ watch.EventType, gvk schema.GroupVersionKind, m message) error
}

// message is an API type with a protobuf form.
type message interface {
	runtime.Object
	Marshal() ([]byte, error)
}

// negotiate picks the form for an Accept header the way a kube-apiserver
// does: the first clause by weight that names a known type; JSON when the
// client does not care. ok is false when nothing acceptable is known.
func negotiate(accept string) (f form, ok bool) {
	if accept == "" {
		return jsonForm{}, true
	}
	for _, clause := range goautoneg.ParseAccept(accept) {
		if f := partialForm(clause); f != nil {
			return f, true
		}
		if clause.Params["as"] != "" || !slices.Contains([]string{"", "watch"}, clause.Params["stream"]) {
			continue
		}
		switch clause.Type + "/" + clause.SubType {
		case runtime.ContentTypeJSON, "application/*", "*/*":
			return jsonForm{}, true
		case runtime.ContentTypeProtobuf:
			return protobufForm{}, true
		}
	}
	return nil, false
}

// partialForm returns the form of a clause that asks for a part of each object, nil for any other.
func partialForm(clause goautoneg.Accept) form {
	if clause.Params["g"] != metav1.GroupName || clause.Params["v"] != "v1" {
		return nil
	}
	isJSON := clause.SubType == "json"
	switch as := clause.Params["as"]; {
	case (as == metadataList || as == metadataObject) && isJSON:
		return metadataForm{jsonForm{}, as == metadataList}
	case as == metadataList || as == metadataObject:
		return metadataForm{protobufForm{}, as == metadataList}
	case as == "Table" && isJSON:
		return &tableForm{}
	}
	return nil
}

// fits reports whether a form can answer a list, or anything else.
func fits(f form, list bool) bool {
	m, ok := f.(metadataForm)
	return !ok || m.list == list
}
