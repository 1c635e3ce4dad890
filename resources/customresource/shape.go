package customresource

import "cmp"

// shape states which parts of an object are decoded: those that the paths of a configuration can reach. All other bytes
// are skipped.
type shape struct {
	all   bool // everything below is decoded
	named map[string]*shape
	each  *shape // of the elements of a list, and of the members of an object that are not in named
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

func (s *shape) eachChild() *shape {
	if s.each == nil {
		s.each = &shape{}
	}
	return s.each
}

// member returns the shape of a member, or nil if it is not decoded.
func (s *shape) member(name []byte) *shape {
	if s.all {
		return s
	}
	return cmp.Or(s.named[string(name)], s.each)
}

// element returns the shape of each element of a list, or nil if elements are not decoded.
func (s *shape) element() *shape {
	if s.all {
		return s
	}
	return s.each
}

// add adds the value that p leads to, as a whole.
func (s *shape) add(p path) {
	s.visit(p, func(end *shape) { end.all = true })
}

// visit calls f for each shape at which p may end. A step that is a number is an index if the object has a list there,
// and a name otherwise.
func (s *shape) visit(p path, f func(*shape)) {
	if len(p) == 0 {
		f(s)
		return
	}
	switch step, rest := p[0], p[1:]; step.kind {
	case byElement:
		s.eachChild().child(step.name).all = true
		s.eachChild().visit(rest, f)
	case byMatch:
		s.child(step.name).all = true
		s.child(step.step).visit(rest, f)
	default:
		s.child(step.name).visit(rest, f)
		if step.isIndex {
			s.eachChild().visit(rest, f)
		}
	}
}

// normalize makes the shape of each named member include the shape of all members. Call it once, after everything was
// added.
func (s *shape) normalize() {
	for _, child := range s.named {
		if s.each != nil {
			child.include(s.each)
		}
		child.normalize()
	}
	if s.each != nil {
		s.each.normalize()
	}
}

func (s *shape) include(other *shape) {
	s.all = s.all || other.all
	for name, child := range other.named {
		s.child(name).include(child)
	}
	if other.each != nil {
		s.eachChild().include(other.each)
	}
}
