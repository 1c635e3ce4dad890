package faults

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// expiredEvent answers a watch as an API server does that finds the version expired only
// after it has sent the status 200: with an ERROR event of status 410.
func expiredEvent(w http.ResponseWriter, r *http.Request) {
	status := &metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Code: http.StatusGone, Message: "injected"}
	if !strings.HasPrefix(r.Header.Get("Accept"), runtime.ContentTypeProtobuf) {
		status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
		w.Header().Set("Content-Type", runtime.ContentTypeJSON)
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "ERROR", "object": status}) // an error: the client is gone
		return
	}
	w.Header().Set("Content-Type", runtime.ContentTypeProtobuf+";stream=watch")
	_, _ = w.Write(protobufEvent("ERROR", status))
}

// protobufEvent returns a watch frame in protobuf.
func protobufEvent(kind string, object *metav1.Status) []byte {
	raw, _ := object.Marshal() // these messages can always be encoded
	envelope, _ := (&runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: "v1", Kind: "Status"}, Raw: raw}).Marshal()
	event, _ := (&metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: append([]byte("k8s\x00"), envelope...)}}).Marshal()
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(event))), event...)
}
