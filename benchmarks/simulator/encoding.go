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

// newEncodings returns the serializers of a kube-apiserver, with streaming
// encoding of lists.
func newEncodings() []runtime.SerializerInfo {
	return serializer.NewCodecFactory(scheme.Scheme, serializer.WithStreamingCollectionEncodingToJSON(),
		serializer.WithStreamingCollectionEncodingToProtobuf()).SupportedMediaTypes()
}

// The representations that a client can request with the parameter "as" of the
// Accept header (KEP-2334).
const (
	asMetadata     = "PartialObjectMetadata"
	asMetadataList = "PartialObjectMetadataList"
	asTable        = "Table"
)

// encoding is the negotiated media type and representation of one response.
type encoding struct {
	runtime.SerializerInfo
	as      string // empty for whole objects
	columns bool   // the column definitions of a Table have been sent
}

// negotiate chooses the encoding for an Accept header as a kube-apiserver does:
// the acceptable clause with the highest weight, and JSON for an empty header or
// a wildcard. ok is false if no clause is acceptable.
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
		isTable := as == asTable && mediaType == runtime.ContentTypeJSON // a kube-apiserver sends no Table in protobuf
		switch {
		case stream != "" && stream != "watch":
		case as == "", known && (as == asMetadata || as == asMetadataList || isTable):
			info, _ := runtime.SerializerInfoForMediaType(encodings, mediaType)
			return &encoding{SerializerInfo: info, as: as}, true
		}
	}
	return nil, false
}

// fits reports whether the representation suits the request. Clients that want
// metadata must name the kind of the answer: PartialObjectMetadataList for a list,
// PartialObjectMetadata for a single object or a watch.
func (e *encoding) fits(list bool) bool {
	return e.as != asMetadata && e.as != asMetadataList || list == (e.as == asMetadataList)
}

func (e *encoding) streamType() string {
	if e.MediaType == runtime.ContentTypeJSON {
		return e.MediaType
	}
	return e.MediaType + ";stream=watch"
}

// convert returns the representation of an object, for a get or an event.
func (e *encoding) convert(o *object) (runtime.Object, error) {
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

// convertList returns the representation of a list. Lists of metadata and Tables
// have no shardInfo, because kube-apiservers do not copy it into them.
func (e *encoding) convertList(kind *Kind, meta metav1.ListMeta, items []*object) (runtime.Object, error) {
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

// table returns a Table with a row for each object, which includes its metadata.
// Only the first Table of a response has column definitions. The columns are those
// of Secrets for all kinds, because clients request no other Tables.
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
