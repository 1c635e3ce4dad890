package resources

import (
	"fmt"
	"runtime/debug"
)

// Panic is an error with the value and the stack of a panic.
type Panic struct {
	Value any
	stack []byte
}

// NewPanic returns the Panic of a value that recover returned. The deferred function that calls recover must call it.
func NewPanic(value any) *Panic { return &Panic{value, debug.Stack()} }

// Error implements error.
func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Stack returns the stack trace of the panic, as the runtime prints it.
func (p *Panic) Stack() string { return string(p.stack) }

// Failure is a family without lines, because its write function panicked.
type Failure struct {
	Family int // its index
	*Panic
}
