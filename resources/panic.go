package resources

import (
	"fmt"
	"runtime"
	"strings"
)

// maxFrames bounds the stack that a Panic keeps.
const maxFrames = 64

// Panic is an error that says what a function panicked with, and where.
type Panic struct {
	Value any
	at    []uintptr
}

// Caught returns the Panic of a value that recover returned. It is called by the
// deferred function that calls recover.
func NewPanic(value any) *Panic {
	var at [maxFrames]uintptr
	return &Panic{Value: value, at: append([]uintptr(nil), at[:runtime.Callers(2, at[:])]...)}
}

// Error implements error.
func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Stack returns the functions that had been called, the last one first, as the runtime prints them.
func (p *Panic) Stack() string {
	var text strings.Builder
	frames := runtime.CallersFrames(p.at)
	for more := len(p.at) > 0; more; {
		var f runtime.Frame
		f, more = frames.Next()
		fmt.Fprintf(&text, "%s\n\t%s:%d\n", f.Function, f.File, f.Line)
	}
	return text.String()
}

// Failure is a family without lines, because its function panicked.
type Failure struct {
	Family int // its index
	*Panic
}
