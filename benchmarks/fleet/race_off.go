//go:build !race

package fleet

// RaceFlags returns the build flags for a program under test. They enable the race detector if the test has it.
func RaceFlags() []string { return nil }
