package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// Statefleet is the folder of the exporter's command, relative to the repository's root.
const Statefleet = "cmd/statefleet"

// Build compiles the command in a folder of this repository and returns the path of the binary. It keeps
// one binary per checkout and set of flags in the user's cache folder. If the binary is up to date, a
// build takes about two seconds instead of half a minute of linking. Concurrent calls wait for each
// other, also if they are in different processes.
func Build(pkg string, flags ...string) (string, error) {
	return build(pkg, flags, func(output string) *exec.Cmd {
		return exec.Command("go", append(append([]string{"build"}, flags...), "-o", output, ".")...) //nolint:noctx // a build ends by itself
	})
}

// BuildTools compiles the tools that the go.mod in a folder of this repository names, and returns the
// folder of the binaries. It caches them as [Build] does.
func BuildTools(pkg string) (string, error) {
	return build(pkg, []string{"tool"}, func(output string) *exec.Cmd {
		cmd := exec.Command("go", "build", "-o", output+string(filepath.Separator), "tool") //nolint:noctx // a build ends by itself
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		return cmd
	})
}

// build runs the command that compiles a folder of this repository to a path in the cache, and returns
// the path. The path depends on the folder and the key.
func build(pkg string, key []string, command func(output string) *exec.Cmd) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, pkg)
	output, err := cachePath(dir, key)
	if err != nil {
		return "", err
	}
	unlock, err := lock(output + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	cmd := command(output)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", dir, err, out)
	}
	return output, nil
}

// BuildChanged compiles a command as [Build] does, but from sources in which one file has text in place
// of old. The file is relative to the repository's root and must have old exactly once. The file itself
// does not change.
func BuildChanged(pkg, file, old, text string, flags ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), old); n != 1 {
		return "", fmt.Errorf("%s has %q %d times, want once", file, old, n)
	}
	path, err := cachePath(filepath.Join(root, file), []string{old, text})
	if err != nil {
		return "", err
	}
	changed := path + ".changed"
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, file): changed}})
	if err != nil {
		return "", err
	}
	err = errors.Join(
		os.WriteFile(changed, []byte(strings.Replace(string(source), old, text, 1)), 0o600),
		os.WriteFile(path+".json", overlay, 0o600),
	)
	if err != nil {
		return "", err
	}
	return Build(pkg, append(flags, "-overlay="+path+".json")...)
}

// Root returns the root folder of the repository. It derives the folder from the path at which this file
// was compiled, and fails with -trimpath.
func Root() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return "", fmt.Errorf("cannot find the repository: %q is not an absolute path, as in a build with -trimpath", file)
	}
	return filepath.Join(filepath.Dir(file), "..", ".."), nil
}

func cachePath(dir string, flags []string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache folder for built binaries: %w", err)
	}
	sum := sha256.Sum256([]byte(dir + "\x00" + strings.Join(flags, "\x00")))
	cache = filepath.Join(cache, "statefleet-test", hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	return filepath.Join(cache, filepath.Base(dir)), nil
}

// lock takes an exclusive lock on a file, which it creates if necessary, and returns a function that releases it.
func lock(path string) (func(), error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil // closing releases the lock
}
