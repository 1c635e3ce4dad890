package resources

import (
	"bytes"
	"hash/maphash"
	"iter"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SampleWriter writes the samples of one object. The functions of a family receive it with the family's name and the
// object's identity labels already set. Each call of Value or Sample appends one line. It is not safe for concurrent
// use.
type SampleWriter struct {
	lines    *Lines
	name     string
	identity []byte
	start    int  // offset of the family's lines
	full     bool // the family has exceeded the limit
	// index holds the series of the family's lines before the offset indexed, by hash; see isDuplicate. The hash has a
	// random key, because users choose label values.
	index   map[uint64]struct{}
	seed    maphash.Seed // of index; created with it
	indexed int
	series  []byte   // scratch of hash
	keys    []string // scratch of sorted
	// labelsVary is set if one sample may lack a label that is empty in another one. To Prometheus both have the same
	// series. emptyLabels is whether a sample of the family had an empty label.
	labelsVary, emptyLabels bool
}

// setIdentity sets the labels with which every line of the object begins.
func (w *SampleWriter) setIdentity(pairs ...string) {
	w.identity = w.identity[:0]
	for i := 0; i+1 < len(pairs); i += 2 {
		w.identity = appendLabel(w.identity, pairs[i], pairs[i+1])
	}
}

func (w *SampleWriter) beginFamily(name string) {
	w.name = name
	w.start, w.indexed = len(w.lines.Buf), len(w.lines.Buf)
	w.full, w.emptyLabels = false, false
	clear(w.index)
}

// writeFamily writes the lines of a family, without the zeros of a state set. If the family exceeds the limit or panics,
// it has no lines. The object's other families are not affected.
func (w *SampleWriter) writeFamily(family int, name string, set *stateSet, write func()) {
	w.beginFamily(name)
	defer func() {
		if p := recover(); p != nil {
			w.lines.Buf = w.lines.Buf[:w.start]
			w.lines.Failed = append(w.lines.Failed, Failure{family, NewPanic(p)})
		} else if w.full {
			w.lines.Buf = w.lines.Buf[:w.start]
			w.lines.Omitted = append(w.lines.Omitted, family)
		}
		w.lines.Buf = w.lines.Buf[:w.start+len(set.withoutZeros(w.lines.Buf[w.start:]))]
		w.lines.Ends = append(w.lines.Ends, len(w.lines.Buf))
	}()
	write()
}

// Full reports whether the family has exceeded the object's limit; see [Lines]. Further lines are dropped at little
// cost. A family whose loops may take much longer than the size of the object suggests checks Full and returns.
func (w *SampleWriter) Full() bool { return w.full }

// Overflow leaves the family out, as if it had exceeded the limit. It is for families that take more work than the size
// of their text suggests.
func (w *SampleWriter) Overflow() { w.full = true }

// Value appends a sample with the identity labels only.
func (w *SampleWriter) Value(v float64) { w.Sample(v) }

// Sample appends a sample with the identity labels and the given labels: name, value, name, value. Invalid UTF-8 in a
// value is replaced.
func (w *SampleWriter) Sample(v float64, labels ...string) {
	if w.full {
		return
	}
	b := append(w.lines.Buf, w.name...)
	b = append(b, '{')
	b = append(b, w.identity...)
	for i := 0; i+1 < len(labels); i += 2 {
		b = appendLabel(b, labels[i], labels[i+1])
	}
	b = bytes.TrimSuffix(b, []byte(","))
	b = append(b, '}', ' ')
	b = appendValue(b, v)
	w.lines.Buf = append(b, '\n')
	w.full = w.lines.Limit > 0 && len(w.lines.Buf) > w.lines.Limit
}

// SampleIfNew is Sample for families in which an object may legitimately have a series more than once. It appends the
// first sample, and returns false for the others. An exposition must not contain a series twice.
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

// UniqueSample is SampleIfNew for families in which a repeated series is an error in the object's data. It counts the
// repetition as skipped.
func (w *SampleWriter) UniqueSample(v float64, labels ...string) {
	if !w.SampleIfNew(v, labels...) {
		w.Skip()
	}
}

// linearScanBytes is the largest size of lines that are searched linearly, in bytes.
const linearScanBytes = 4 << 10

// isDuplicate reports whether the family has an earlier line with the series of its last line, which begins at the
// offset at. The few lines of ordinary objects are compared one by one. Long lists are indexed: otherwise a pod with
// 100,000 tolerations would take minutes. So are lines whose text may differ although their series are the same.
func (w *SampleWriter) isDuplicate(at int) bool {
	earlier, line := w.lines.Buf[w.start:at], w.lines.Buf[at:]
	w.emptyLabels = w.emptyLabels || w.labelsVary && bytes.Contains(line, emptyLabel)
	if len(earlier) == 0 || len(earlier) <= linearScanBytes && !w.emptyLabels {
		for series := line[:bytes.LastIndexByte(line, ' ')+1]; len(earlier) > 0; {
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
		before := rest[:bytes.IndexByte(rest, '\n')+1]
		w.index[w.hash(before)] = struct{}{}
		w.indexed += len(before)
	}
	_, ok := w.index[w.hash(line)]
	return ok
}

// hash returns the hash of a line's series for the index.
func (w *SampleWriter) hash(line []byte) uint64 {
	w.series = AppendSeries(w.series[:0], line)
	return maphash.Bytes(w.seed, w.series)
}

// Skip counts a sample for which the object has no usable value.
func (w *SampleWriter) Skip() { w.lines.Skipped++ }

// SkipLabel counts a label whose name the object may not choose.
func (w *SampleWriter) SkipLabel() { w.lines.SkippedLabels++ }

// Int appends n with the identity labels and the given labels.
func (w *SampleWriter) Int(n int64, labels ...string) { w.Sample(float64(n), labels...) }

// Bool appends 1 or 0 with the identity labels and the given labels.
func (w *SampleWriter) Bool(b bool, labels ...string) { w.Sample(boolValue(b), labels...) }

// Time appends t in unix seconds, or nothing if t is nil or unset.
func (w *SampleWriter) Time(t *metav1.Time, labels ...string) {
	if !t.IsZero() {
		w.Sample(float64(t.Unix()), labels...)
	}
}

// optionalInt appends *n, or nothing if n is nil.
func optionalInt[N int32 | int64](w *SampleWriter, n *N) {
	if n != nil {
		w.Value(float64(*n))
	}
}

// uniqueEach appends a sample with the value 1 for each value of a label.
func uniqueEach[S ~string](w *SampleWriter, label string, values []S) {
	for _, v := range values {
		w.UniqueSample(1, label, string(v))
	}
}

// sorted iterates over a map in the order of its keys, so that an object always gives the same text. Iterations with one
// writer must not be nested.
func sorted[K ~string, V any](w *SampleWriter, values map[K]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		w.keys = w.keys[:0]
		for key := range values {
			w.keys = append(w.keys, string(key))
		}
		slices.Sort(w.keys)
		for _, key := range w.keys {
			if !yield(K(key), values[K(key)]) {
				return
			}
		}
	}
}

// StateSet appends one sample per state, with the label set to the state: 1 for the current state, 0 for the others.
func (w *SampleWriter) StateSet(label, current string, all ...string) {
	for _, v := range all {
		w.Bool(v == current, label, v)
	}
}

// conditionStatus appends one sample per status: 1 for the status of the condition, 0 for the others. statusLabel, the
// label with the status, follows the other labels.
func (w *SampleWriter) conditionStatus(status corev1.ConditionStatus, statusLabel string, labels ...string) {
	var buf [8]string
	pairs := append(append(buf[:0], labels...), statusLabel, "")
	for _, s := range [...]struct {
		status corev1.ConditionStatus
		value  string
	}{{corev1.ConditionTrue, "true"}, {corev1.ConditionFalse, "false"}, {corev1.ConditionUnknown, "unknown"}} {
		pairs[len(pairs)-1] = s.value
		w.UniqueSample(boolValue(status == s.status), pairs...)
	}
}

// presentCondition appends one sample with the status of a condition. A status that the API does not define gives none.
func (w *SampleWriter) presentCondition(condition string, status corev1.ConditionStatus, reason string) {
	if value, ok := w.statusValue(status); ok {
		w.UniqueSample(1, "condition", condition, "status", value, "reason", reason)
	}
}

// statusValue returns the label value of a status. A status that the API does not define is counted as skipped.
func (w *SampleWriter) statusValue(status corev1.ConditionStatus) (value string, ok bool) {
	switch status {
	case corev1.ConditionTrue:
		return "true", true
	case corev1.ConditionFalse:
		return "false", true
	case corev1.ConditionUnknown:
		return "unknown", true
	}
	w.Skip()
	return "", false
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// optionalBool returns the text of an optional field, or "" if b is nil.
func optionalBool(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

// optionalNumber returns the text of an optional field, or "" if n is nil.
func optionalNumber[N int32 | int64](n *N) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(int64(*n), 10)
}
