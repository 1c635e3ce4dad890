//go:build !linux && !darwin

package savedstate

import (
	"errors"
	"os"
)

// flock fails where there are no such locks: two processes must not share a directory.
func flock(*os.File) error { return errors.ErrUnsupported }
