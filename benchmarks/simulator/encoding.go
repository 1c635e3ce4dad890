package simulator

import (
	"cmp"

	"github.com/munnerz/goautoneg"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta/table"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

// newEncodings returns the serializers of a kube-apiserver, which stream lists.
func newEncodings() []runtime.SerializerInfo {
	return serializer.NewCodecFactory(scheme.Scheme, serializer.WithStreamingCollectionEncodingToJSON(),
		serializer.WithStreamingCollectionEncodingToProtobuf()).SupportedMediaTypes()
}

// The parts of objects that a client can ask for with "as" (KEP-2334).
const (
	asMetadata     = "PartialObjectMetadata"
	asMetadataList = "PartialObjectMetadataList"
	asTable        = "Table"
)

// encoding is the content of one response, as negotiated.
type encoding struct {
	runtime.SerializerInfo
	as      string // empty for whole objects
	columns bool   // of a Table have been sent
}

// negotiate picks the encoding for an Accept header the way a kube-apiserver
// does: the first clause by weight that names a known type; JSON when the
// client does not care. ok is false when no clause is acceptable.
func negotiate(encodings []runtime.SerializerInfo, accept string) (e *encoding, ok bool) {
	for _, clause := range goautoneg.ParseAccept(cmp.Or(accept, runtime.ContentTypeJSON)) {
		mediaType := clause.Type + "/" + clause.SubType
		switch mediaType {
		case "application/*", "*/*":
			mediaType = runtime.ContentTypeJSON
		case runtime.ContentTypeJSON, runtime.ContentTypeProtobuf:
		default:
			continue
		}
		as, stream := clause.Params["as"], clause.Params["stream"]
		known := clause.Params["g"] == metav1.GroupName && clause.Params["v"] == "v1"
		isTable := as == asTable && mediaType == runtime.ContentTypeJSON // as in kube-apiservers, not in protobuf
		switch {
		case stream != "" && stream != "watch":
		case as == "", known && (as == asMetadata || as == asMetadataList || isTable):
			info, _ := runtime.SerializerInfoForMediaType(encodings, mediaType)
			return &encoding{SerializerInfo: info, as: as}, true
		}
	}
	return nil, false
}

// fits reports whether the encoding is for a list, or for a single object or a
// watch: for metadata, clients name the kind of the answer.
func (e *encoding) fits(list bool) bool {
	return e.as != asMetadata && e.as != asMetadataList || list == (e.as == asMetadataList)
}

func (e *encoding) streamType() string {
	if e.MediaType == runtime.ContentTypeJSON {
		return e.MediaType
	}
	return e.MediaType + ";stream=watch"
}

// show is an object as a get or an event has it.
func (e *encoding) show(o *object) (runtime.Object, error) {
	if e.as == "" {
		return document{o}, nil
	}
	metadata, err := o.metadata()
	if err != nil {
		return nil, err
	}
	metadata.TypeMeta = metadataType(asMetadata)
	if e.as != asTable {
		return metadata, nil
	}
	return e.table(metav1.ListMeta{ResourceVersion: metadata.ResourceVersion}, []*object{o})
}

// showList is a list. That of metadata and Tables has no shardInfo: kube-apiservers
// copy the list's version and continue token only.
func (e *encoding) showList(kind *Kind, meta metav1.ListMeta, items []*object) (runtime.Object, error) {
	if e.as == "" {
		typeMeta := kind.typeMeta()
		typeMeta.Kind += "List"
		return &objectList{TypeMeta: typeMeta, ListMeta: meta, Items: items}, nil
	}
	meta.ShardInfo = nil
	if e.as == asTable {
		return e.table(meta, items)
	}
	list := &metav1.PartialObjectMetadataList{TypeMeta: metadataType(asMetadataList), ListMeta: meta}
	list.Items = make([]metav1.PartialObjectMetadata, len(items))
	for i, o := range items {
		metadata, err := o.metadata()
		if err != nil {
			return nil, err
		}
		list.Items[i] = *metadata
	}
	return list, nil
}

// table has a row for each object, with its metadata, and names the columns in
// the first Table of a response. Only Secrets have a column in addition to those
// of every kind: no other kind's Tables are asked for.
func (e *encoding) table(meta metav1.ListMeta, items []*object) (*metav1.Table, error) {
	t := &metav1.Table{TypeMeta: metadataType(asTable), ListMeta: meta, Rows: make([]metav1.TableRow, len(items))}
	if !e.columns {
		e.columns = true
		for _, name := range []string{"Name", "Type", "Data", "Age"} {
			t.ColumnDefinitions = append(t.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "string"})
		}
	}
	for i, o := range items {
		metadata, err := o.metadata()
		if err != nil {
			return nil, err
		}
		metadata.TypeMeta = metadataType(asMetadata)
		var secret corev1.Secret
		if o.kind.Kind == "Secret" {
			if err := o.decodeInto(&secret); err != nil {
				return nil, err
			}
		}
		age := table.ConvertToHumanReadableDateType(metadata.CreationTimestamp)
		t.Rows[i] = metav1.TableRow{
			Cells:  []any{o.name, string(secret.Type), len(secret.Data), age},
			Object: runtime.RawExtension{Object: metadata},
		}
	}
	return t, nil
}

func metadataType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: metav1.SchemeGroupVersion.String(), Kind: kind}
}
