package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// actorVariable makes the test binary an actor that speaks over stdio; its value is the JSON of its role.
const actorVariable = "MANIFOLD_E2E_ACTOR"

func TestMain(m *testing.M) {
	if text := os.Getenv(actorVariable); text != "" {
		var r role
		err := json.Unmarshal([]byte(text), &r)
		if err == nil {
			err = r.perform()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "actor:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	testkit.RemoveAgent()
	os.Exit(code)
}
