package resources

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/wire"
)

// What stands in a Secret and must not leave its bytes: a key of its data and a value.
const (
	secretKey   = "pass-phrase-key"
	secretValue = "correct horse battery staple"
)

// TestNoSecretValueIsKept: of Secrets and ConfigMaps neither data nor the
// annotation with the object as applied gets past the mask, in both encodings and
// with every annotation allowed: not into the bytes that are decoded, not into
// lines, not into memory that is used again.
func TestNoSecretValueIsKept(t *testing.T) {
	applied := `{"stringData":{"` + secretKey + `":"` + secretValue + `"}}`
	meta := metav1.ObjectMeta{
		Namespace: "ns", Name: "n", UID: "u",
		Annotations: map[string]string{lastApplied: applied, "team": "a"},
		ManagedFields: []metav1.ManagedFieldsEntry{{
			Manager: "m", FieldsV1: metav1.NewFieldsV1(`{"f:data":{"f:` + secretKey + `":{}}}`),
		}},
	}
	texts, binaries := map[string]string{secretKey: secretValue}, map[string][]byte{secretKey: []byte(secretValue)}
	secret := encodings(t, &corev1.Secret{ObjectMeta: meta, Type: "Opaque", StringData: texts, Data: binaries})
	configMap := encodings(t, &corev1.ConfigMap{ObjectMeta: meta, Data: texts, BinaryData: binaries})

	for _, enc := range []wire.Encoding{wire.Protobuf, wire.JSON} {
		holdsNothing(t, secrets(), enc, secret[enc])
		holdsNothing(t, configMaps(), enc, configMap[enc])
		// Half an object is refused, and what was read of it is not kept either.
		for n := range secret[enc] {
			holdsNothing(t, secrets(), enc, secret[enc][:n])
		}
	}
	// The annotation's key as another encoder might write it.
	for _, key := range []string{strings.ReplaceAll(lastApplied, "/", `\/`), strings.ReplaceAll(lastApplied, "k", `\u006b`)} {
		value, err := json.Marshal(applied)
		if err != nil {
			t.Fatal(err)
		}
		holdsNothing(t, secrets(), wire.JSON, []byte(`{"metadata":{"annotations":{"`+key+`":`+string(value)+`}}}`))
	}
	// A map's entry with the value before the key, and with two keys, of which the
	// last counts: annotations are field 12 of the metadata.
	key, value := protobufField(1, lastApplied), protobufField(2, applied)
	holdsNothing(t, secrets(), wire.Protobuf, []byte(protobufField(1, protobufField(12, value+key))))
	holdsNothing(t, secrets(), wire.Protobuf, []byte(protobufField(1, protobufField(12, protobufField(1, "other")+value+key))))
}

func protobufField(number uint64, content string) string {
	b := binary.AppendUvarint(nil, number<<3|2)
	return string(binary.AppendUvarint(b, uint64(len(content)))) + content
}

// holdsNothing renders the object and looks for the value in all that is left.
func holdsNothing(t *testing.T, k Kind, enc wire.Encoding, raw []byte) {
	t.Helper()
	clean := func(what string, b []byte) {
		t.Helper()
		b = b[:cap(b)]
		for _, s := range []string{secretKey, secretValue, base64.StdEncoding.EncodeToString([]byte(secretValue)), lastApplied} {
			if bytes.Contains(b, []byte(s)) {
				t.Fatalf("%s, %s: %s holds %q:\n%q", k.Name(), enc, what, s, b)
			}
		}
	}
	r := mustRenderer(t, k, everything(t))
	cut, err := r.Mask().Append(nil, enc, raw)
	clean("the cut object", cut)
	if err != nil {
		clean("the error", []byte(err.Error()))
	}
	var l Lines
	for { // the pool may drop what is put into it
		if err := r.Render(enc, raw, &l); err != nil {
			clean("the error", []byte(err.Error()))
		}
		clean("the text", l.Buf)
		s, ok := r.pool.Get().(*scratch)
		if !ok {
			continue
		}
		clean("the reused copy", s.raw)
		clean("the reused identity", s.out.identity)
		for _, key := range s.out.keys[:cap(s.out.keys)] {
			clean("the reused keys", []byte(key))
		}
		return
	}
}
