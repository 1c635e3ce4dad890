package simulator

import (
	"bufio"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// tableForm shows objects as rows of a Table, with their metadata. Like kube-apiservers it speaks JSON only, names the
// columns in the first Table of an answer, and shows bookmarks as Tables with one row. Only Secrets have a column
// in addition to those of every kind. A tableForm serves one answer.
type tableForm struct {
	jsonForm
	named bool // the columns
}

func (f *tableForm) writeList(w *bufio.Writer, _ Kind, meta metav1.ListMeta, items snapshot) error {
	meta.ShardInfo = nil
	t := &metav1.Table{ListMeta: meta, Rows: make([]metav1.TableRow, len(items))}
	for i, o := range items {
		row, err := o.row()
		if err != nil {
			return err
		}
		t.Rows[i] = row
	}
	text, err := f.encode(t)
	if err != nil {
		return err
	}
	_, _ = w.Write(text)
	return w.WriteByte('\n')
}

func (f *tableForm) writeEvent(w *bufio.Writer, _ Kind, typ watch.EventType, e *event) error {
	row, err := e.object.row()
	if err != nil {
		return err
	}
	return f.writeRow(w, typ, formatVersion(e.object.resourceVersion), row)
}

func (f *tableForm) writeMessageEvent(w *bufio.Writer, typ watch.EventType, gvk schema.GroupVersionKind, m message) error {
	bookmark, ok := m.(Object)
	if !ok || typ != watch.Bookmark {
		return f.jsonForm.writeMessageEvent(w, typ, gvk, m)
	}
	row := metav1.TableRow{Cells: []any{"", "", 0, "<unknown>"}, Object: runtime.RawExtension{Object: bookmarkMetadata(bookmark)}}
	return f.writeRow(w, typ, bookmark.GetResourceVersion(), row)
}

func (f *tableForm) writeRow(w *bufio.Writer, typ watch.EventType, version string, row metav1.TableRow) error {
	text, err := f.encode(&metav1.Table{ListMeta: metav1.ListMeta{ResourceVersion: version}, Rows: []metav1.TableRow{row}})
	if err != nil {
		return err
	}
	writeJSONFrame(w, typ, text)
	return nil
}

func (f *tableForm) encode(t *metav1.Table) ([]byte, error) {
	if !f.named {
		f.named = true
		for _, name := range []string{"Name", "Type", "Data", "Age"} {
			t.ColumnDefinitions = append(t.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "string"})
		}
	}
	t.SetGroupVersionKind(metav1.SchemeGroupVersion.WithKind("Table"))
	for i := range t.Rows {
		if o := t.Rows[i].Object.Object; o != nil {
			o.GetObjectKind().SetGroupVersionKind(metav1.SchemeGroupVersion.WithKind(metadataObject))
		}
	}
	return json.Marshal(t)
}

// row relies on Secrets being the only kind whose Tables are asked for: of others the type is empty.
func (o *object) row() (metav1.TableRow, error) {
	var meta metav1.PartialObjectMetadata
	if err := o.decodeMetadata(&meta); err != nil {
		return metav1.TableRow{}, err
	}
	var secret corev1.Secret
	if secret.Unmarshal(o.raw) != nil {
		secret = corev1.Secret{}
	}
	cells := []any{o.name, string(secret.Type), len(secret.Data), "1m"}
	return metav1.TableRow{Cells: cells, Object: runtime.RawExtension{Object: &meta}}, nil
}
