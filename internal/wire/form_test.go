package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// secretTable returns the form that requests the metadata and the type of Secrets.
func secretTable() Form { return Form{Metadata: true, Column: "Type", Field: "type"} }

// row returns the row of a Secret in a Table, as an API server sends it.
func row(t testing.TB, s *corev1.Secret) metav1.TableRow {
	t.Helper()
	o, err := json.Marshal(&metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: "meta.k8s.io/v1"}, ObjectMeta: s.ObjectMeta,
	})
	if err != nil {
		t.Fatal(err)
	}
	return metav1.TableRow{Cells: []any{s.Name, string(s.Type), 2, "5m"}, Object: runtime.RawExtension{Raw: o}}
}

// tableOf returns a Table with these rows. named is whether it names its columns, as the first Table of a response
// does.
func tableOf(named bool, rows ...metav1.TableRow) *metav1.Table {
	t := &metav1.Table{
		TypeMeta: metav1.TypeMeta{Kind: "Table", APIVersion: "meta.k8s.io/v1"},
		ListMeta: metav1.ListMeta{ResourceVersion: "77", Continue: "next"}, Rows: rows,
	}
	if named {
		for _, name := range []string{"Name", "Type", "Data", "Age"} {
			t.ColumnDefinitions = append(t.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "string"})
		}
	}
	return t
}

func exampleSecrets() []*corev1.Secret {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "ns", Name: name, UID: "u-" + "x", ResourceVersion: "5", Labels: map[string]string{"a": `"b`}}
	}
	return []*corev1.Secret{
		{ObjectMeta: meta("one"), Type: "Opaque"},
		{ObjectMeta: meta("two"), Type: `odd "type", \ with[brackets]}`},
		{ObjectMeta: meta("three")},
	}
}

func equalSecret(t *testing.T, enc Encoding, object []byte, want *corev1.Secret) {
	t.Helper()
	var got corev1.Secret
	if err := json.Unmarshal(object, &got); err != nil || enc != JSON {
		t.Fatalf("%s object %s: %v", enc, object, err)
	}
	if got.Name != want.Name || got.Type != want.Type || got.UID != want.UID || got.Labels["a"] != want.Labels["a"] {
		t.Errorf("got object %s, want %+v", object, want)
	}
}

// The object of a row has the metadata and the field that the column shows. ReadMeta reads its identity like that of
// any other object.
func TestRowsOfTablesAreObjects(t *testing.T) {
	secrets := exampleSecrets()
	var rows []metav1.TableRow
	for _, s := range secrets {
		rows = append(rows, row(t, s))
	}
	at := 0
	meta, err := secretTable().ReadList(bytes.NewReader(envelope(t, JSON, tableOf(true, rows...))), func(enc Encoding, object []byte) error {
		equalSecret(t, enc, object, secrets[at])
		if m, err := ReadMeta(enc, object); err != nil || string(m.Name) != secrets[at].Name || string(m.UID) != "u-x" || string(m.ResourceVersion) != "5" {
			t.Errorf("got identity %s, error %v, want that of %s", m, err, secrets[at].Name)
		}
		at++
		return nil
	})
	if err != nil || at != len(secrets) || meta.ResourceVersion != "77" || meta.Continue != "next" {
		t.Errorf("got %d objects, metadata %+v, error %v; want %d objects", at, meta, err, len(secrets))
	}
}

// Only the first frame names the columns, whatever its type is. A bookmark has a row, and an error is not a Table.
func TestEventsOfTablesAreObjects(t *testing.T) {
	secrets := exampleSecrets()
	bookmark := row(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		ResourceVersion: "9", Annotations: map[string]string{"k8s.io/initial-events-end": "true"},
	}})
	var body []byte
	body = append(body, frame(t, JSON, "BOOKMARK", tableOf(true, bookmark))...)
	for _, s := range secrets {
		body = append(body, frame(t, JSON, "MODIFIED", tableOf(false, row(t, s)))...)
	}
	body = append(body, frame(t, JSON, "ERROR", &metav1.Status{Reason: metav1.StatusReasonExpired})...)
	events := secretTable().NewEventReader(bytes.NewReader(body))
	ev, err := events.Next()
	if err != nil {
		t.Fatal(err)
	}
	if end, err := InitialEventsEnd(ev.Encoding, ev.Object); err != nil || !end {
		t.Errorf("the bookmark %s does not end the initial events, error %v", ev.Object, err)
	}
	if m, err := ReadMeta(ev.Encoding, ev.Object); err != nil || string(m.ResourceVersion) != "9" {
		t.Errorf("bookmark: got version %s, error %v, want 9", m.ResourceVersion, err)
	}
	for _, s := range secrets {
		ev, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		equalSecret(t, ev.Encoding, ev.Object, s)
	}
	if ev, err := events.Next(); err != nil || ev.Type != "ERROR" || !strings.Contains(string(ev.Object), "Expired") {
		t.Errorf("got event %s %s, error %v, want an ERROR with the reason Expired", ev.Type, ev.Object, err)
	}
	if _, err := events.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("error %v at the end, want io.EOF", err)
	}
}

// Whole objects instead of rows, missing column definitions, a missing column, and incomplete rows give an error and no
// object.
func TestResponsesWithoutTheRequestedTableAreRejected(t *testing.T) {
	secret := exampleSecrets()[0]
	whole := row(t, secret)
	bare, short := whole, whole
	bare.Object = runtime.RawExtension{}
	short.Cells = short.Cells[:1]
	other := tableOf(true, whole)
	other.ColumnDefinitions = other.ColumnDefinitions[:1]
	for name, o := range map[string]runtime.Object{
		"no columns": tableOf(false, whole), "another column": other, "no metadata": tableOf(true, bare), "no cell": tableOf(true, short),
	} {
		_, err := secretTable().ReadList(bytes.NewReader(envelope(t, JSON, o)), func(_ Encoding, object []byte) error {
			t.Errorf("%s: got object %s, want none", name, object)
			return nil
		})
		if err == nil {
			t.Errorf("%s: ReadList gives no error", name)
		}
		if ev, err := secretTable().NewEventReader(bytes.NewReader(frame(t, JSON, "ADDED", o))).Next(); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: got event %s, error %v, want %v", name, ev.Object, err, ErrFrame)
		}
	}
	for _, enc := range encodings {
		list := &corev1.SecretList{Items: []corev1.Secret{*secret}}
		_, err := secretTable().ReadList(bytes.NewReader(envelope(t, enc, list)), func(_ Encoding, object []byte) error {
			t.Errorf("%s: got object %s, want none", enc, object)
			return nil
		})
		if !errors.Is(err, ErrForm) {
			t.Errorf("%s: a list of whole objects gives the error %v, want %v", enc, err, ErrForm)
		}
	}
	for _, o := range []runtime.Object{secret, tableOf(true), tableOf(true, whole, whole)} {
		if ev, err := secretTable().NewEventReader(bytes.NewReader(frame(t, JSON, "ADDED", o))).Next(); !errors.Is(err, ErrFrame) {
			t.Errorf("got event %s, error %v, want %v", ev.Object, err, ErrFrame)
		}
	}
}

// No accepted media type allows whole objects.
func TestFormsWithMetadataOnlyNeverRequestMore(t *testing.T) {
	for _, form := range []Form{{Metadata: true}, secretTable()} {
		for _, accept := range []string{form.Accept(false), form.Accept(true), form.AcceptIdentity()} {
			for _, media := range strings.Split(accept, ",") {
				if !strings.Contains(media, ";as=PartialObjectMetadata") && !strings.Contains(media, ";as=Table;") {
					t.Errorf("%+v accepts %q", form, media)
				}
			}
		}
	}
	if accept := (Form{}).Accept(true); accept != "" {
		t.Errorf("Accept for whole objects: got %q, want none", accept)
	}
}

// The objects of a list that is valid JSON are valid JSON, and so are the objects of all events. A list is not
// validated as a whole: the decoder rejects an invalid object, and the others count.
func FuzzTable(f *testing.F) {
	secret := exampleSecrets()[1]
	f.Add(envelope(f, JSON, tableOf(true, row(f, secret))))
	f.Add(frame(f, JSON, "ADDED", tableOf(true, row(f, secret))))
	broken := bytes.Replace(envelope(f, JSON, tableOf(true, row(f, secret))), []byte(`"namespace":`), []byte("\"namespace\"\xff\xff:"), 1)
	f.Add(broken)
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = secretTable().ReadList(bytes.NewReader(body), func(_ Encoding, object []byte) error {
			if !json.Valid(object) && json.Valid(body) {
				t.Errorf("object is not valid JSON: %s", object)
			}
			return nil
		})
		for events := secretTable().NewEventReader(bytes.NewReader(body)); ; {
			ev, err := events.Next()
			if err != nil && !errors.Is(err, ErrFrame) {
				return
			}
			if err == nil && !json.Valid(ev.Object) {
				t.Errorf("object is not valid JSON: %s", ev.Object)
			}
		}
	})
}
