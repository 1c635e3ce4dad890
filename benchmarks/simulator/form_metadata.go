package simulator

import (
	"bufio"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	metadataObject = "PartialObjectMetadata"
	metadataList   = metadataObject + "List"
)

// metadataForm shows the metadata of objects only, to clients that ask for that (KEP-2334). As kube-apiservers do, it
// takes the name of the list for lists, and that of the object for everything else.
type metadataForm struct {
	form
	list bool
}

// writeList leaves out shardInfo, as kube-apiservers do: they copy the list's version and continue token.
func (f metadataForm) writeList(w *bufio.Writer, _ Kind, meta metav1.ListMeta, items snapshot) error {
	list := &metav1.PartialObjectMetadataList{ListMeta: meta, Items: make([]metav1.PartialObjectMetadata, len(items))}
	list.ShardInfo = nil
	for i, o := range items {
		if err := o.decodeMetadata(&list.Items[i]); err != nil {
			return err
		}
	}
	return f.writeMessage(w, metav1.SchemeGroupVersion.WithKind(metadataList), list)
}

func (f metadataForm) writeObject(w *bufio.Writer, _ Kind, o *object) error {
	var meta metav1.PartialObjectMetadata
	if err := o.decodeMetadata(&meta); err != nil {
		return err
	}
	return f.writeMessage(w, metav1.SchemeGroupVersion.WithKind(metadataObject), &meta)
}

func (f metadataForm) writeEvent(w *bufio.Writer, _ Kind, typ watch.EventType, e *event) error {
	var meta metav1.PartialObjectMetadata
	if err := e.object.decodeMetadata(&meta); err != nil {
		return err
	}
	return f.form.writeMessageEvent(w, typ, metav1.SchemeGroupVersion.WithKind(metadataObject), &meta)
}

// writeMessageEvent shows a bookmark as the metadata of an object, and an error as it is.
func (f metadataForm) writeMessageEvent(w *bufio.Writer, typ watch.EventType, gvk schema.GroupVersionKind, m message) error {
	if bookmark, ok := m.(Object); ok && typ == watch.Bookmark {
		gvk, m = metav1.SchemeGroupVersion.WithKind(metadataObject), bookmarkMetadata(bookmark)
	}
	return f.form.writeMessageEvent(w, typ, gvk, m)
}

// bookmarkMetadata is what a bookmark has.
func bookmarkMetadata(bookmark Object) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: bookmark.GetResourceVersion(), Annotations: bookmark.GetAnnotations()},
	}
}

// decodeMetadata relies on metadata being the first field of every API object.
func (o *object) decodeMetadata(into *metav1.PartialObjectMetadata) error {
	if err := into.Unmarshal(o.raw); err != nil {
		return fmt.Errorf("decode metadata of %s/%s: %w", o.namespace, o.name, err)
	}
	return nil
}
