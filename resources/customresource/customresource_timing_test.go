package customresource

import (
	"fmt"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// largeObject returns a custom resource of about 9 KB. The metrics read only a small part of it.
func largeObject() []byte {
	var b strings.Builder
	b.WriteString(`{"apiVersion":"things.example.com/v1","kind":"Widget","metadata":{"name":"w","namespace":"default",
		"labels":{"app.kubernetes.io/name":"w","colour":"blue"},"managedFields":[`)
	for i := range 20 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"manager":"m%d","fieldsV1":{%s"f:z":{}}}`, i, strings.Repeat(`"f:spec":{"f:x":{}},`, 10))
	}
	b.WriteString(`]},"spec":{"replicas":3,"version":"v1","template":{` + strings.Repeat(`"a":"some text of no interest",`, 100) + `"b":1}},
		"status":{"phase":"Warm","conditions":[{"type":"Ready","status":"True","reason":"AllGood","lastTransitionTime":"2026-05-17T01:00:00Z"},
		{"type":"Synced","status":"False","lastTransitionTime":"2026-05-17T02:00:00Z"}]}}`)
	return []byte(b.String())
}

func BenchmarkRender(b *testing.B) {
	config := mustParse(b, readFile(b, fixtureDir+"/widgets.crs.yaml"))
	r := newRenderer(config.entries[0].gvk, config.entries[:1], resources.Filter{}, silent())
	raw := largeObject()
	var l resources.Lines
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Render(wire.JSON, raw, &l); err != nil {
			b.Fatal(err)
		}
	}
	if len(l.Buf) == 0 {
		b.Fatal("no lines")
	}
}

func BenchmarkDecode(b *testing.B) {
	config := mustParse(b, readFile(b, fixtureDir+"/widgets.crs.yaml"))
	r := newRenderer(config.entries[0].gvk, config.entries[:1], resources.Filter{}, silent())
	raw := largeObject()
	for name, s := range map[string]*shape{"what is read": &r.shape, "everything": everything()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(raw, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
