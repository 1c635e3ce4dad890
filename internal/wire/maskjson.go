package wire

// appendJSON appends the parts of a JSON value that the node keeps: members of
// an object by name, also within the elements of lists. A value of another type
// is kept unchanged; the decoder reports it if an object is expected there.
func (n *node) appendJSON(dst, value []byte) ([]byte, error) {
	i := skipSpace(value, 0)
	if i >= len(value) {
		return dst, errJSONEnds
	}
	switch value[i] {
	case '[':
		return n.appendJSONList(dst, value[i:])
	case '{':
		return n.appendJSONObject(dst, value[i:])
	default:
		return append(dst, value[i:]...), nil
	}
}

func (n *node) appendJSONList(dst, value []byte) ([]byte, error) {
	dst = append(dst, '[')
	first := true
	err := elements(value, func(element []byte) error {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		var err error
		dst, err = n.appendJSON(dst, element)
		return err
	})
	return append(dst, ']'), err
}

func (n *node) appendJSONObject(dst, value []byte) ([]byte, error) {
	dst = append(dst, '{')
	first := true
	err := members(value, func(name, member []byte) error {
		key, err := stringContent(name)
		if err != nil || n.excludedKeys[string(key)] {
			return err
		}
		child := n.byName[string(key)]
		if child == nil && !n.all {
			return nil
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, name...), ':')
		if child == nil || child.all && child.excludedKeys == nil {
			dst = append(dst, member...)
			return nil
		}
		dst, err = child.appendJSON(dst, member)
		return err
	})
	return append(dst, '}'), err
}
