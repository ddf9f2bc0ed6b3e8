package upstream

import (
	"os"
	"testing"
)

// childMode is the variable that makes the test binary, run again, an MCP server (or a parent of one) with the given habits.
const childMode = "MANIFOLD_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		childMain(mode)
		os.Exit(0)
	}
	os.Exit(m.Run())
}
