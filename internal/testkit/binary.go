package testkit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Root gives the folder of the module: the nearest one above the working directory that holds a go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = up
	}
}

// BuildAgent builds cmd/gateway into the file out with further arguments of go build.
func BuildAgent(ctx context.Context, out string, args ...string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", out}, args...), "./cmd/gateway")...)
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./cmd/gateway: %w\n%s", err, text)
	}
	return nil
}

var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// Agent gives the path of the binary, built once per test process; with the race detector when the tests have it.
func Agent(tb testing.TB) string {
	tb.Helper()
	built.once.Do(func() {
		if built.err = watchSources(); built.err != nil {
			return
		}
		if built.dir, built.err = os.MkdirTemp("", "manifold-agent-"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "agent")
		if runtime.GOOS == "windows" {
			built.path += ".exe"
		}
		var args []string
		if RaceEnabled {
			args = append(args, "-race")
		}
		built.err = BuildAgent(context.Background(), built.path, args...)
	})
	if built.err != nil {
		tb.Fatalf("build the agent: %v", built.err)
	}
	return built.path
}

// RemoveAgent removes what Agent built. A TestMain calls it last.
func RemoveAgent() {
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
}

// watchSources looks at every source file that the binary is made of. go test remembers which files a test looked at
// and runs it again when one changed; a build by a child process alone would leave a stale result in the test cache.
func watchSources() error {
	root, err := Root()
	if err != nil {
		return err
	}
	for _, dir := range []string{"cmd", "pkg"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			_, err = os.Stat(path)
			return err
		})
		// A file that went away while we looked is somebody's edit in progress, and go build will say what it thinks of it.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	_, err = os.Stat(filepath.Join(root, "go.sum"))
	return err
}
