package simulator

import (
	"bufio"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const metadataList = "PartialObjectMetadataList"

// metadataForm shows the metadata of objects only, in lists, to clients that ask for that (KEP-2334).
type metadataForm struct{ form }

// writeList leaves out shardInfo, as kube-apiservers do: they copy the list's version and continue token.
func (f metadataForm) writeList(w *bufio.Writer, _ Kind, meta metav1.ListMeta, items snapshot) error {
	list := &metav1.PartialObjectMetadataList{ListMeta: meta, Items: make([]metav1.PartialObjectMetadata, len(items))}
	list.ShardInfo = nil
	for i, o := range items {
		if err := list.Items[i].Unmarshal(o.raw); err != nil {
			return fmt.Errorf("decode metadata of %s/%s: %w", o.namespace, o.name, err)
		}
	}
	return f.writeMessage(w, metav1.SchemeGroupVersion.WithKind(metadataList), list)
}
