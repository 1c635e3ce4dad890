package resources

import (
	"fmt"
	"runtime/debug"
)

// Panic is an error that says what a function panicked with, and where.
type Panic struct {
	Value any
	stack []byte
}

// NewPanic returns the Panic of a value that recover returned. The deferred function that calls
// recover calls it.
func NewPanic(value any) *Panic { return &Panic{value, debug.Stack()} }

// Error implements error.
func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Stack returns the functions that had been called, the last one first, as the runtime prints them.
func (p *Panic) Stack() string { return string(p.stack) }

// Failure is a family without lines, because its function panicked.
type Failure struct {
	Family int // its index
	*Panic
}
