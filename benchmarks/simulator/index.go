package simulator

import (
	"slices"
)

// index holds the objects of one resource in list order. New keys wait in an
// unsorted tail until order is asked for, so that loading a cluster sorts once
// and steady change moves a few pointers.
type index struct {
	byKey  map[objectKey]*object
	sorted []*object
	tail   []*object // keys not in sorted
}

func newIndex() index { return index{byKey: map[objectKey]*object{}} }

// put stores o and returns what it replaced, or nil.
func (x *index) put(o *object) *object {
	previous := x.byKey[o.objectKey]
	x.byKey[o.objectKey] = o
	if previous == nil {
		x.tail = append(x.tail, o)
		return nil
	}
	x.order()
	if i, found := x.find(o.objectKey); found {
		x.sorted[i] = o
	}
	return previous
}

// remove drops the key and returns what it held, or nil.
func (x *index) remove(key objectKey) *object {
	previous := x.byKey[key]
	if previous == nil {
		return nil
	}
	delete(x.byKey, key)
	x.order()
	if i, found := x.find(key); found {
		x.sorted = slices.Delete(x.sorted, i, i+1)
	}
	return previous
}

// snapshot copies the objects in list order.
func (x *index) snapshot() snapshot {
	x.order()
	return slices.Clone(x.sorted)
}

func (x *index) find(key objectKey) (int, bool) { return snapshot(x.sorted).search(key) }

// order merges the tail: one by one when it is short, else with one sort.
func (x *index) order() {
	const few = 32
	if len(x.tail) > few {
		x.sorted = append(x.sorted, x.tail...)
		slices.SortFunc(x.sorted, func(a, b *object) int { return a.compare(b.objectKey) })
	} else {
		for _, o := range x.tail {
			i, _ := x.find(o.objectKey)
			x.sorted = slices.Insert(x.sorted, i, o)
		}
	}
	clear(x.tail)
	x.tail = x.tail[:0]
}

// snapshot is the objects of a resource at one resourceVersion, in list order.
// It is never changed.
type snapshot []*object

// search finds where key is or would be.
func (s snapshot) search(key objectKey) (int, bool) {
	return slices.BinarySearchFunc(s, key, func(o *object, k objectKey) int { return o.compare(k) })
}

// in is the part of one namespace, or everything when it is empty.
func (s snapshot) in(namespace string) snapshot {
	if namespace == "" {
		return s
	}
	from, _ := s.search(objectKey{namespace: namespace})
	to, _ := s.search(objectKey{namespace: namespace + "\x00"})
	return s[from:to]
}

// after is the part behind key.
func (s snapshot) after(key objectKey) snapshot {
	i, found := s.search(key)
	if found {
		i++
	}
	return s[i:]
}
