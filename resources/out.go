package resources

import (
	"bytes"
	"hash/maphash"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const maxFloat = math.MaxFloat64

// Lines is the text of one object: Buf holds the lines of all enabled families
// one after another, and the lines of family i end at Ends[i]. It is reused
// from object to object; see Reset.
type Lines struct {
	Buf  []byte
	Ends []int
	// Skipped counts samples left out because the object's own data gave no
	// usable value (a series named twice, an entry without its source).
	Skipped int
	// SkippedLabels counts labels left out because the object may not choose their names.
	SkippedLabels int
	// Failed are the families that have no lines because their function could not
	// cope with the object.
	Failed []Failure
	// Limit bounds the bytes of Buf; 0 means no bound. A family that would go beyond is
	// left out as a whole, and the families after it that fit are kept.
	Limit int
	// Omitted are the families, by index, that were left out because of Limit.
	Omitted []int
}

// Reset empties l and keeps its memory and its limit.
func (l *Lines) Reset() {
	clear(l.Failed)
	l.Buf, l.Ends, l.Skipped, l.Failed, l.Omitted = l.Buf[:0], l.Ends[:0], 0, l.Failed[:0], l.Omitted[:0]
	l.SkippedLabels = 0
}

// Out writes the samples of one object. The functions of a family get it with
// the family's name and the object's identity labels already set; each call of
// Value or Sample appends one line. It is used by one goroutine at a time.
type SampleWriter struct {
	lines     *Lines
	name      string
	identity  []byte
	skipsZero bool // whether OneOf leaves out what is 0
	start     int  // where the family's lines begin
	limit     int  // of the bytes of all lines
	full      bool // the family has passed the limit
	// index holds the series of the family's lines before indexed, by hash; see seen.
	// The hash has a random key, because users choose label values.
	index   map[uint64]struct{}
	seed    maphash.Seed // of index; made with it
	indexed int
	keys    []string // scratch of entries
}

// identify sets the labels that every line of the object begins with.
func (w *SampleWriter) setIdentity(pairs ...string) {
	w.identity = w.identity[:0]
	for i := 0; i+1 < len(pairs); i += 2 {
		w.identity = appendLabel(w.identity, pairs[i], pairs[i+1])
	}
}

// begin starts a family.
func (w *SampleWriter) beginFamily(name string, sparse bool) {
	w.name, w.skipsZero = name, sparse
	w.start, w.indexed = len(w.lines.Buf), len(w.lines.Buf)
	w.limit, w.full = w.lines.Limit, false
	if w.limit <= 0 {
		w.limit = math.MaxInt
	}
	if len(w.index) > 0 {
		clear(w.index)
	}
}

// contain is deferred by what writes a family. A function that meets data no one
// thought of costs its family for this object; the others are worth having.
func (w *SampleWriter) recoverFamily(family int) {
	if p := recover(); p != nil {
		w.lines.Buf, w.full = w.lines.Buf[:w.start], false
		w.lines.Failed = append(w.lines.Failed, Failure{family, NewPanic(p)})
	}
}

// Value appends a sample with the identity labels only.
func (w *SampleWriter) Value(v float64) { w.Sample(v) }

// Sample appends a sample with the identity labels followed by the labels
// given as name, value, name, value. Invalid UTF-8 in a value is replaced.
func (w *SampleWriter) Sample(v float64, labels ...string) {
	if w.full {
		return
	}
	b := w.beginSample()
	for i := 0; i+1 < len(labels); i += 2 {
		b = appendLabel(b, labels[i], labels[i+1])
	}
	w.endSample(b, v)
}

// open returns the lines with the beginning of a new one behind them, to which
// labels can be appended; the line counts once end is called.
func (w *SampleWriter) beginSample() []byte {
	b := append(w.lines.Buf, w.name...)
	b = append(b, '{')
	return append(b, w.identity...)
}

func (w *SampleWriter) endSample(b []byte, v float64) {
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	b = append(b, '}', ' ')
	b = appendValue(b, v)
	b = append(b, '\n')
	w.lines.Buf = b
	if len(b) > w.limit {
		w.full = true
	}
}

// Distinct is Sample for families where an object may name one series more than
// once, and rightly so: it appends the first and reports false for the others. A
// page on which a series stands twice is refused as a whole.
func (w *SampleWriter) SampleIfNew(v float64, labels ...string) bool {
	if w.full {
		return true
	}
	at := len(w.lines.Buf)
	w.Sample(v, labels...)
	if w.isDuplicate(at) {
		w.lines.Buf, w.full = w.lines.Buf[:at], false
		return false
	}
	return true
}

// Once is Distinct for families where a repetition is a fault in the object's
// data: it is counted as skipped.
func (w *SampleWriter) UniqueSample(v float64, labels ...string) {
	if !w.SampleIfNew(v, labels...) {
		w.Skip()
	}
}

// fewLines is how many bytes of lines are searched one by one.
const linearScanBytes = 4 << 10

// seen reports whether the series of the line at the end of the family, which
// begins at at, stands before it already. The few lines of ordinary objects are
// compared; what an object may hold without limit is indexed, or a single pod
// with 100,000 tolerations would take minutes.
func (w *SampleWriter) isDuplicate(at int) bool {
	series := lineSeries(w.lines.Buf[at:])
	if earlier := w.lines.Buf[w.start:at]; len(earlier) <= linearScanBytes {
		for len(earlier) > 0 {
			if bytes.HasPrefix(earlier, series) {
				return true
			}
			earlier = earlier[bytes.IndexByte(earlier, '\n')+1:]
		}
		return false
	}
	if w.index == nil {
		w.index, w.seed = map[uint64]struct{}{}, maphash.MakeSeed()
	}
	for w.indexed < at {
		rest := w.lines.Buf[w.indexed:at]
		line := rest[:bytes.IndexByte(rest, '\n')+1]
		w.index[maphash.Bytes(w.seed, lineSeries(line))] = struct{}{}
		w.indexed += len(line)
	}
	_, ok := w.index[maphash.Bytes(w.seed, series)]
	return ok
}

// lineSeries returns a line without its value.
func lineSeries(line []byte) []byte { return line[:bytes.LastIndexByte(line, ' ')+1] }

// Skip counts a sample that the object's data gave no usable value for.
func (w *SampleWriter) Skip() { w.lines.Skipped++ }

// SkipLabel counts a label that the object may not choose.
func (w *SampleWriter) SkipLabel() { w.lines.SkippedLabels++ }

// Int appends n with the identity labels and those given.
func (w *SampleWriter) Int(n int64, labels ...string) { w.Sample(float64(n), labels...) }

// Bool appends 1 or 0 with the identity labels and those given.
func (w *SampleWriter) Bool(b bool, labels ...string) { w.Sample(boolValue(b), labels...) }

// Time appends t in unix seconds; nothing when t is unset.
func (w *SampleWriter) Time(t metav1.Time, labels ...string) {
	if !t.IsZero() {
		w.Sample(float64(t.Unix()), labels...)
	}
}

// TimePtr is Time for optional fields.
func (w *SampleWriter) TimePtr(t *metav1.Time, labels ...string) {
	if t != nil {
		w.Time(*t, labels...)
	}
}

// Opt appends *n; nothing when n is nil.
func Opt[N int32 | int64](w *SampleWriter, n *N, labels ...string) {
	if n != nil {
		w.Sample(float64(*n), labels...)
	}
}

// OptBool appends *b as 1 or 0; nothing when b is nil.
func (w *SampleWriter) OptBool(b *bool, labels ...string) {
	if b != nil {
		w.Bool(*b, labels...)
	}
}

// OneOf appends a sample for each of all with the label set to it: 1 for the
// one that is current, 0 for the others.
func (w *SampleWriter) StateSet(label, current string, all ...string) {
	for _, v := range all {
		if w.skipsZero && v != current {
			continue
		}
		w.Bool(v == current, label, v)
	}
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func boolString(b bool) string { return strconv.FormatBool(b) }

// optBoolString is boolString for optional fields, empty when b is nil.
func optBoolString(b *bool) string {
	if b == nil {
		return ""
	}
	return boolString(*b)
}

// appendLabel appends name="value", with a comma behind it.
func appendLabel(dst []byte, name, value string) []byte {
	return appendLabelValue(append(dst, name...), value)
}

// appendLabelValue appends what stands behind a label's name.
func appendLabelValue(dst []byte, value string) []byte {
	dst = append(dst, '=', '"')
	switch {
	case isPlain(value):
		dst = append(dst, value...)
	case utf8.ValidString(value):
		dst = appendEscaped(dst, value)
	default:
		dst = appendEscaped(dst, strings.ToValidUTF8(value, "\uFFFD"))
	}
	return append(dst, '"', ',')
}

// isPlain reports whether s, as nearly all values, is ASCII that stands for itself.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '\n' {
			return false
		}
	}
	return true
}
