package main

import (
	"encoding/binary"
	"os"

	"github.com/cespare/xxhash/v2"
)

// watchedFiles tells when one of some files has changed. It looks at what is in them: that works for every way in which a
// file can be replaced, the exchange of a link to a directory, as for a mounted ConfigMap, among them.
type watchedFiles struct {
	names       []string
	taken, seen uint64 // fingerprints
}

// take makes the files, as they were read, the ones that are watched.
func (w *watchedFiles) take(files []file) {
	w.names = w.names[:0]
	for _, f := range files {
		w.names = append(w.names, f.name)
	}
	w.taken = fingerprint(files)
}

// changed reports whether the files are others than those that were taken. They must have been so in the call before: a
// file that is being written is not to be read half-way.
func (w *watchedFiles) changed() bool {
	if len(w.names) == 0 {
		return false
	}
	files := make([]file, 0, len(w.names))
	for _, name := range w.names {
		content, err := os.ReadFile(name)
		files = append(files, file{name: name, content: content, missing: err != nil})
	}
	before := w.seen
	w.seen = fingerprint(files)
	return w.seen == before && w.seen != w.taken
}

func fingerprint(files []file) uint64 {
	var sums []byte
	for _, f := range files {
		if f.missing {
			sums = append(sums, '-')
			continue
		}
		sums = binary.LittleEndian.AppendUint64(append(sums, '+'), xxhash.Sum64(f.content))
	}
	return xxhash.Sum64(sums)
}
