package customresource

import (
	"bytes"
	"cmp"
)

// shape says which parts of an object are decoded: what the paths of a
// configuration can reach. Everything else is stepped over in the bytes.
type shape struct {
	all      bool // everything below is decoded
	named    map[string]*shape
	elements *shape // of a list, one for all
	members  *shape // of an object, whatever their names; other members are in named
}

func (s *shape) child(name string) *shape {
	c := s.named[name]
	if c == nil {
		if s.named == nil {
			s.named = map[string]*shape{}
		}
		c = &shape{}
		s.named[name] = c
	}
	return c
}

func (s *shape) element() *shape {
	if s.elements == nil {
		s.elements = &shape{}
	}
	return s.elements
}

func (s *shape) member() *shape {
	if s.members == nil {
		s.members = &shape{}
	}
	return s.members
}

// of is what is read of a member whose name stands so, with its quotes; nil for
// nothing.
func (s *shape) of(name []byte) *shape {
	switch {
	case s.all:
		return s
	case bytes.IndexByte(name, '\\') >= 0:
		return cmp.Or(s.named[unquote(name)], s.members)
	}
	return cmp.Or(s.named[string(name[1:len(name)-1])], s.members)
}

// add adds what p reaches, and all below it.
func (s *shape) add(p path) {
	s.at(p, func(end *shape) { end.all = true })
}

// at calls visit with each place that p may end at: a step that is a number is
// an index where the object has a list and a name where it has none.
func (s *shape) at(p path, visit func(*shape)) {
	if len(p) == 0 {
		visit(s)
		return
	}
	switch step, rest := p[0], p[1:]; step.kind {
	case byElement:
		e := s.element()
		e.child(step.name).all = true
		e.at(rest, visit)
	case byMatch:
		s.child(step.name).all = true
		s.child(step.step).at(rest, visit)
	default:
		s.child(step.name).at(rest, visit)
		if step.isIndex {
			s.element().at(rest, visit)
		}
	}
}

// addEach adds what the paths reach from where p ends, and from each element or
// member of that. With members the end is a map whose members are needed whatever
// they hold.
func (s *shape) addEach(p path, members bool, paths ...path) {
	s.at(p, func(end *shape) {
		end.all = end.all || members
		for _, sub := range paths {
			end.add(sub)
			end.element().add(sub)
			end.member().add(sub)
		}
	})
}

// settle has what is named include what is read of every member. It is called
// once, when all is added.
func (s *shape) settle() {
	for _, child := range s.named {
		if s.members != nil {
			child.include(s.members)
		}
		child.settle()
	}
	for _, below := range []*shape{s.elements, s.members} {
		if below != nil {
			below.settle()
		}
	}
}

func (s *shape) include(other *shape) {
	s.all = s.all || other.all
	for name, child := range other.named {
		s.child(name).include(child)
	}
	if other.elements != nil {
		s.element().include(other.elements)
	}
	if other.members != nil {
		s.member().include(other.members)
	}
}
