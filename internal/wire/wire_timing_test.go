package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func BenchmarkReadMeta(b *testing.B) {
	for _, enc := range encodings {
		b.Run(enc.String(), func(b *testing.B) {
			raw := bytesOf(b, enc, examplePod(1))
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if m, err := ReadMeta(enc, raw); err != nil || len(m.UID) == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMask(b *testing.B) {
	m := mustMask(b, fuzzedFields)
	for _, enc := range encodings {
		b.Run(enc.String(), func(b *testing.B) {
			raw := bytesOf(b, enc, examplePod(1))
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			var cut []byte
			for b.Loop() {
				var err error
				if cut, err = m.Append(cut[:0], enc, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReadList(b *testing.B) {
	for _, enc := range encodings {
		b.Run(enc.String(), func(b *testing.B) {
			body := envelope(b, enc, exampleList(100))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ReadList(bytes.NewReader(body), func(Encoding, []byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEvents(b *testing.B) {
	for _, enc := range encodings {
		b.Run(enc.String(), func(b *testing.B) {
			stream := bytes.Repeat(frame(b, enc, "MODIFIED", examplePod(1)), 100)
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			for b.Loop() {
				r := NewEventReader(bytes.NewReader(stream))
				_, err := r.Next()
				for err == nil {
					_, err = r.Next()
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
		})
	}
}
