//go:build conformance

package conformance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// sdk is the module whose conformance programs stand on the other side; go.mod pins its version.
const sdk = "github.com/modelcontextprotocol/go-sdk"

// everythingServer and everythingClient are the paths of the SDK's programs, built once for all tests.
var everythingServer, everythingClient string

func TestMain(m *testing.M) {
	if agent := os.Getenv(wrapperEnv); agent != "" {
		if err := runWrapper(agent, os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, "wrapper:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(run(m))
}

// run is main without the exit, so that what it defers happens.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "manifold-conformance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	defer testkit.RemoveAgent()
	everythingServer = filepath.Join(dir, "everything-server")
	everythingClient = filepath.Join(dir, "everything-client")
	for _, path := range []string{everythingServer, everythingClient} {
		if err := buildSDK(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := m.Run()
	printTable(os.Stdout)
	return code
}

// buildSDK builds the SDK's conformance program that has the name of path, from the module cache.
func buildSDK(path string) error {
	root, err := testkit.Root()
	if err != nil {
		return err
	}
	pkg := sdk + "/conformance/" + filepath.Base(path)
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", path, pkg)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}
