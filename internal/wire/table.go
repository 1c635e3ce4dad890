package wire

import (
	"errors"
	"fmt"
)

// table turns rows of Tables (metav1.Table, which is sent as JSON only) into objects. API servers name the columns
// only in the first Table of a response.
type table struct {
	form   Form
	column int // its position
	object []byte
}

// unknownColumn is the position of the column before the API server has named the columns.
const unknownColumn = -1

// ErrForm is wrapped by the errors about responses that do not have the requested form.
var ErrForm = errors.New("response does not have the requested form")

var (
	errNoTable = fmt.Errorf("%w: it must be a Table, with one row for an event", ErrForm)
	errNoRow   = fmt.Errorf("%w: a row of the Table must have cells and the metadata of its object", ErrForm)
)

// columns finds the position of the column in the definitions of all columns. null means no definitions.
func (t *table) columns(definitions []byte) error {
	if string(definitions) == "null" {
		return nil
	}
	position, found := 0, unknownColumn
	err := elements(definitions, func(definition []byte) error {
		err := members(definition, func(name, value []byte) error {
			if string(name) == `"name"` && string(value) == `"`+t.form.Column+`"` {
				found = position
			}
			return nil
		})
		position++
		return err
	})
	if err == nil && found == unknownColumn {
		err = fmt.Errorf("%w: none of the %d columns of the Table is %q", ErrForm, position, t.form.Column)
	}
	t.column = found
	return err
}

// fromRow returns the object that a row shows. It is valid until the next call.
func (t *table) fromRow(row []byte) ([]byte, error) {
	var cell, metadata []byte
	err := members(row, func(name, value []byte) error {
		switch string(name) {
		case `"cells"`:
			position := 0
			return elements(value, func(content []byte) error {
				if position == t.column {
					cell = content
				}
				position++
				return nil
			})
		case `"object"`:
			return members(value, func(name, value []byte) error {
				if string(name) == `"metadata"` {
					metadata = value
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if cell == nil || metadata == nil {
		return nil, errNoRow
	}
	o := append(append(t.object[:0], `{"metadata":`...), metadata...)
	o = append(append(append(o, `,"`...), t.form.Field...), `":`...)
	t.object = append(append(o, cell...), '}')
	return t.object, nil
}

// visit returns a function that calls visit with the object that a row shows.
func (t *table) visit(visit func(enc Encoding, object []byte) error) func(enc Encoding, row []byte) error {
	return func(enc Encoding, row []byte) error {
		object, err := t.fromRow(row)
		if err != nil {
			return err
		}
		return visit(enc, object)
	}
}

// fromEvent returns the object that the Table of a watch event shows in its only row. Bookmarks have a row as well.
func (t *table) fromEvent(event []byte) (object []byte, err error) {
	var row []byte
	rows := 0
	err = members(event, func(name, value []byte) error {
		switch string(name) {
		case `"columnDefinitions"`:
			return t.columns(value)
		case `"rows"`:
			return elements(value, func(content []byte) error {
				row = content
				rows++
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if rows != 1 {
		return nil, errNoTable
	}
	return t.fromRow(row)
}
