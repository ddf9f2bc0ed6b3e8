package main

import (
	"os"
	"slices"
	"testing"
)

// TestMain lets the test binary be the guardian of a gateway that a test runs in its own process: without this the guardian's
// command line would run all tests again.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{guardName}) {
		main()
	}
	os.Exit(m.Run())
}
