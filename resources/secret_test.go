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

// A key and a value of a Secret's data, which must not leave its bytes.
const (
	secretKey   = "pass-phrase-key"
	secretValue = "correct horse battery staple"
)

// Neither the data of Secrets and ConfigMaps nor the annotation with the applied object passes the mask, in both
// encodings and with every annotation allowed. They get neither into the decoded bytes nor into lines nor into reused
// memory.
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
		checkNothingKept(t, secrets(), enc, secret[enc])
		checkNothingKept(t, configMaps(), enc, configMap[enc])
		// A truncated object is rejected, and no part of it is kept either.
		for n := range secret[enc] {
			checkNothingKept(t, secrets(), enc, secret[enc][:n])
		}
	}
	// The annotation's key with escapes that another encoder might write.
	for _, key := range []string{strings.ReplaceAll(lastApplied, "/", `\/`), strings.ReplaceAll(lastApplied, "k", `\u006b`)} {
		value, err := json.Marshal(applied)
		if err != nil {
			t.Fatal(err)
		}
		checkNothingKept(t, secrets(), wire.JSON, []byte(`{"metadata":{"annotations":{"`+key+`":`+string(value)+`}}}`))
	}
	// A map entry with the value before the key, and one with two keys, of which the last one counts. Annotations are
	// field 12 of the metadata.
	key, value := protobufField(1, lastApplied), protobufField(2, applied)
	checkNothingKept(t, secrets(), wire.Protobuf, []byte(protobufField(1, protobufField(12, value+key))))
	checkNothingKept(t, secrets(), wire.Protobuf, []byte(protobufField(1, protobufField(12, protobufField(1, "other")+value+key))))
}

func protobufField(number uint64, content string) string {
	b := binary.AppendUvarint(nil, number<<3|2)
	return string(binary.AppendUvarint(b, uint64(len(content)))) + content
}

// checkNothingKept renders the object and searches all remaining memory for the value.
func checkNothingKept(t *testing.T, k Kind, enc wire.Encoding, raw []byte) {
	t.Helper()
	clean := func(what string, b []byte) {
		t.Helper()
		b = b[:cap(b)]
		for _, s := range []string{secretKey, secretValue, base64.StdEncoding.EncodeToString([]byte(secretValue)), lastApplied} {
			if bytes.Contains(b, []byte(s)) {
				t.Fatalf("%s, %s: %s contains %q:\n%q", k.Name(), enc, what, s, b)
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
	for { // the pool may drop an object
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
