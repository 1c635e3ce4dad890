package shard

import (
	"fmt"
	"testing"
)

func BenchmarkHash(b *testing.B) {
	uid := uuids(1)[0]
	b.ReportAllocs()
	b.SetBytes(int64(len(uid)))
	for b.Loop() {
		Hash(uid)
	}
}

func BenchmarkHashOfBytes(b *testing.B) {
	uid := []byte(uuids(1)[0])
	b.ReportAllocs()
	b.SetBytes(int64(len(uid)))
	for b.Loop() {
		Hash(uid)
	}
}

func BenchmarkContains(b *testing.B) {
	hashes := make([]uint64, 1024)
	for i, uid := range uuids(len(hashes)) {
		hashes[i] = Hash(uid)
	}
	for _, total := range []int{1, 3, 10, 64, 512} {
		b.Run(fmt.Sprintf("total=%d", total), func(b *testing.B) {
			own := mustTable(b, total).Ranges(total - 1)
			b.ReportAllocs()
			i, owned := 0, 0
			for b.Loop() {
				if own.Contains(hashes[i%len(hashes)]) {
					owned++
				}
				i++
			}
		})
	}
}

func BenchmarkNewTable(b *testing.B) {
	for _, total := range []int{3, 10, 64, 128, MaxTotal} {
		b.Run(fmt.Sprintf("total=%d", total), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mustTable(b, total)
			}
		})
	}
}
