//go:build race

package fleet

// RaceFlags are the build flags of a program under test: with the race detector when the test itself has it.
func RaceFlags() []string { return []string{"-race"} }
