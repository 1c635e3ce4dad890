package store

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

// Typical pods: 55 lines in 45 of 60 families, about 10 kB of text each.
const (
	benchObjects  = 20_000
	benchFamilies = 60
)

// benchPod renders an object similar to a pod: names and addresses that repeat, and a UID in every
// line that does not.
func benchPod(l *Lines, n int, turn int) Object {
	l.Reset()
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	uid := fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x",
		rng.Uint32(), rng.Uint32()&0xffff, rng.Uint32()&0xfff, rng.Uint32()&0xfff, rng.Uint64()&0xffffffffffff)
	labels := fmt.Sprintf(`namespace="team-%d",pod="service-%d-%08x-%05x",uid="%s"`,
		n%97, n%513, n%513*2654435761, rng.Uint32()&0xfffff, uid)
	created := 1_700_000_000 + rng.IntN(10_000_000)
	for f := range benchFamilies {
		lines := 1
		switch {
		case f%4 == 3:
			lines = 0
		case f%9 == 1:
			lines = 3
		}
		for i := range lines {
			l.Buf = fmt.Appendf(l.Buf, "kube_test_family_%02d{%s", f, labels)
			if f%2 == 0 {
				l.Buf = fmt.Appendf(l.Buf, `,container="container-%d",node="node-%d"`, i, n%500)
			}
			if f%10 == 2 {
				l.Buf = fmt.Appendf(l.Buf, `,image="registry.example.org/team-%d/service-%d:v1.%d"`, n%97, n%513, n%7)
			}
			value := i & 1
			if f%5 == 0 {
				value = created + f
			}
			if f == 0 {
				value = turn
			}
			l.Buf = fmt.Appendf(l.Buf, "} %d\n", value)
		}
		l.Ends = append(l.Ends, len(l.Buf))
	}
	return Object{ID: NewID(uid, "", ""), Hash: rng.Uint64(), Version: uint64(turn)}
}

func benchStore(b *testing.B, objects int, budget *Budget) *Store {
	b.Helper()
	s := New(testFamilies(benchFamilies), budget)
	l := new(Lines)
	for n := range objects {
		s.Put(benchPod(l, n, 1), l)
	}
	s.Sweep(0, time.Now())
	return s
}

func report(b *testing.B, s *Store) {
	b.Helper()
	st := s.Stats()
	b.ReportMetric(float64(st.TextBytes)/float64(st.Objects), "text-B/object")
	b.ReportMetric(float64(st.CompressedBytes)/float64(st.Objects), "compressed-B/object")
}

// BenchmarkPutNew is the initial load: every object is new. The time includes compression.
func BenchmarkPutNew(b *testing.B) {
	pods := make([]Lines, 4096)
	objects := make([]Object, len(pods))
	for n := range pods {
		objects[n] = benchPod(&pods[n], n, 1)
	}
	b.SetBytes(int64(len(pods[0].Buf)))
	b.ReportAllocs()
	var s *Store
	i := 0
	for b.Loop() {
		n := i % len(pods)
		if n == 0 {
			s = New(testFamilies(benchFamilies), NewBudget(8<<20))
		}
		s.Put(objects[n], &pods[n])
		i++
	}
}

// BenchmarkPutUnchanged is a heartbeat: a new version with the same text.
func BenchmarkPutUnchanged(b *testing.B) {
	s := benchStore(b, 2048, NewBudget(32<<20))
	pods := make([]Lines, 2048)
	objects := make([]Object, len(pods))
	for n := range pods {
		objects[n] = benchPod(&pods[n], n, 1)
	}
	b.SetBytes(int64(len(pods[0].Buf)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		n := i * 7 % len(pods)
		if s.Put(objects[n], &pods[n]) {
			b.Fatal("a put changed text")
		}
		i++
	}
}

// BenchmarkPutOneFamily changes one line of one object, with compressed or raw blocks.
func BenchmarkPutOneFamily(b *testing.B) {
	for _, raw := range []int64{0, 64 << 20} {
		b.Run(fmt.Sprintf("raw=%dMiB", raw>>20), func(b *testing.B) {
			const objects = 2048
			s := benchStore(b, objects, NewBudget(raw))
			var pods [2][objects]Lines
			var named [2][objects]Object
			for turn := range pods {
				for n := range objects {
					named[turn][n] = benchPod(&pods[turn][n], n, turn+10)
					named[turn][n].Version = 0
				}
			}
			b.SetBytes(int64(len(pods[0][0].Buf)))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				turn, n := i/objects%2, i*7%objects
				s.Put(named[turn][n], &pods[turn][n])
				i++
			}
		})
	}
}

func benchScrape(b *testing.B, prepare func(s *Store, i int), write func(snap *Snapshot) error) {
	s := benchStore(b, benchObjects, NewBudget(32<<20))
	if err := write(TakeSnapshot(OpenMetrics, s)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(s.Stats().TextBytes)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if prepare != nil {
			b.StopTimer()
			prepare(s, i)
			b.StartTimer()
		}
		if err := write(TakeSnapshot(OpenMetrics, s)); err != nil {
			b.Fatal(err)
		}
		i++
	}
	report(b, s)
}

func writeGzip(snap *Snapshot) error {
	defer snap.Release()
	snap.GzipSize()
	return snap.WriteGzip(io.Discard)
}

// BenchmarkGzipClean is a scrape without a change since the last one.
func BenchmarkGzipClean(b *testing.B) { benchScrape(b, nil, writeGzip) }

// BenchmarkGzipOnePercent is a scrape after one line changed in each of 1 % of the objects.
func BenchmarkGzipOnePercent(b *testing.B) {
	l := new(Lines)
	benchScrape(b, func(s *Store, i int) {
		for n := range benchObjects / 100 {
			o := benchPod(l, (n*101+i)%benchObjects, 100+i)
			s.Put(o, l)
		}
	}, writeGzip)
}

// BenchmarkIdentity is a scrape without gzip.
func BenchmarkIdentity(b *testing.B) {
	benchScrape(b, nil, func(snap *Snapshot) error { defer snap.Release(); return snap.WriteText(io.Discard) })
}
