package simulator

import (
	"bufio"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// jsonForm is application/json: documents that end in a newline, and one
// document per event on a watch. Objects are decoded and encoded one by one.
type jsonForm struct{}

func (jsonForm) mediaType() string  { return runtime.ContentTypeJSON }
func (jsonForm) streamType() string { return runtime.ContentTypeJSON }

func (jsonForm) writeObject(w *bufio.Writer, kind Kind, o *object) error {
	text, err := o.json(kind)
	if err != nil {
		return err
	}
	_, _ = w.Write(text)
	_ = w.WriteByte('\n')
	return nil
}

func (jsonForm) writeMessage(w *bufio.Writer, gvk schema.GroupVersionKind, m message) error {
	text, err := messageJSON(gvk, m)
	if err != nil {
		return err
	}
	_, _ = w.Write(text)
	_ = w.WriteByte('\n')
	return nil
}

func (jsonForm) writeEvent(w *bufio.Writer, kind Kind, typ watch.EventType, e *event) error {
	text, err := e.json(kind)
	if err != nil {
		return err
	}
	writeJSONFrame(w, typ, text)
	return nil
}

func (jsonForm) writeMessageEvent(w *bufio.Writer, typ watch.EventType, gvk schema.GroupVersionKind, m message) error {
	text, err := messageJSON(gvk, m)
	if err != nil {
		return err
	}
	writeJSONFrame(w, typ, text)
	return nil
}

func (jsonForm) writeList(w *bufio.Writer, kind Kind, meta metav1.ListMeta, items snapshot) error {
	listMeta, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, `{"kind":%q,"apiVersion":%q,"metadata":%s,"items":[`, kind.Kind+"List", kind.GroupVersion(), listMeta)
	for i, o := range items {
		// Items of a list carry no kind of their own.
		obj, err := o.decode(kind)
		if err != nil {
			return err
		}
		text, err := json.Marshal(obj)
		if err != nil {
			return err
		}
		if i > 0 {
			_ = w.WriteByte(',')
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	_, _ = w.WriteString("]}\n")
	return nil
}

func writeJSONFrame(w *bufio.Writer, typ watch.EventType, text []byte) {
	_, _ = w.WriteString(`{"type":"`)
	_, _ = w.WriteString(string(typ))
	_, _ = w.WriteString(`","object":`)
	_, _ = w.Write(text)
	_, _ = w.WriteString("}\n")
}

// json is the object with its kind, as single answers and events show it.
func (o *object) json(kind Kind) ([]byte, error) {
	obj, err := o.decode(kind)
	if err != nil {
		return nil, err
	}
	return messageJSON(kind.GroupVersionKind, obj)
}

func messageJSON(gvk schema.GroupVersionKind, m message) ([]byte, error) {
	m.GetObjectKind().SetGroupVersionKind(gvk)
	return json.Marshal(m)
}
