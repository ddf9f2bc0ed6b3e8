package upstream

import (
	"os"
	"testing"
)

// childMode is the variable that makes the test binary, run again, an MCP server (or a parent of one) with the given habits.
const childMode = "MANIFOLD_TEST_CHILD"

// guardArg makes it a guardian.
const guardArg = "guard"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == guardArg {
		if err := RunGuardian(os.Stdin); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	if mode := os.Getenv(childMode); mode != "" {
		childMain(mode)
		os.Exit(0)
	}
	os.Exit(m.Run())
}
