//go:build conformance

package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manifold-mcp/manifold/test/node"
)

// suiteTimeout bounds one run of the suite. Direct it takes one to four seconds; a scenario may wait 15 s for something
// that it only wishes for, and one that waits for ever must not keep the other gates from being judged.
const suiteTimeout = 45 * time.Second

// check is one line of a scenario's checks.json.
type check struct {
	ID           string `json:"id"`
	Status       string `json:"status"` // SUCCESS, FAILURE (a MUST), WARNING (a SHOULD), SKIPPED, INFO
	ErrorMessage string `json:"errorMessage"`
}

// report is what one run of the suite found.
type report struct {
	scenarios map[string][]check
	exit      int // exit code under an empty list of expected failures: a warning counts
	output    string
}

// count tells how many checks of all scenarios have one of the statuses.
func (r report) count(statuses ...string) (n int) {
	for _, checks := range r.scenarios {
		n += countStatus(checks, statuses...)
	}
	return n
}

func countStatus(checks []check, statuses ...string) (n int) {
	for _, c := range checks {
		if slices.Contains(statuses, c.Status) {
			n++
		}
	}
	return n
}

// serverSuite runs all server scenarios of a revision against url.
func serverSuite(t *testing.T, url, revision string) report {
	t.Helper()
	return suite(t, nil, "server", "--url", url, "--suite", "all", "--spec-version", revision)
}

// clientScenario runs one client scenario of a revision; the suite calls command with the URL of its server.
func clientScenario(t *testing.T, env []string, command, scenario, revision string) report {
	t.Helper()
	return suite(t, env, "client", "--command", command, "--scenario", scenario, "--spec-version", revision, "--timeout", "58000")
}

// suite runs the conformance suite with further environment and collects the checks of every scenario it ran.
func suite(t *testing.T, env []string, args ...string) report {
	t.Helper()
	dir := t.TempDir()
	expected := filepath.Join(dir, "expected-failures.yml")
	if err := os.WriteFile(expected, []byte("server: []\nclient: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), suiteTimeout)
	defer cancel()
	args = append([]string{node.Script(t, "@modelcontextprotocol/conformance/dist/index.js")}, args...)
	args = append(args, "--expected-failures", expected, "-o", out)
	cmd := exec.CommandContext(ctx, node.Binary(t), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run the suite: %v\n%s", err, text)
	}
	if ctx.Err() != nil {
		t.Errorf("the suite did not end within %v", suiteTimeout)
	}
	return report{scenarios: readChecks(t, out), exit: cmd.ProcessState.ExitCode(), output: string(text)}
}

// scenarioDir is the name of a folder that the suite writes: mode (for servers), scenario, time.
var scenarioDir = regexp.MustCompile(`^(?:server-)?(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$`)

func readChecks(t *testing.T, out string) map[string][]check {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(out, "*", "checks.json"))
	if err != nil {
		t.Fatal(err)
	}
	scenarios := map[string][]check{}
	for _, file := range files {
		match := scenarioDir.FindStringSubmatch(filepath.Base(filepath.Dir(file)))
		if match == nil {
			t.Fatalf("cannot read a scenario's name from %s", file)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var checks []check
		if err := json.Unmarshal(text, &checks); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		// The server scenarios that begin with "server-" carry the word twice, of which the pattern took one.
		scenarios[match[1]] = append(scenarios[match[1]], checks...)
	}
	return scenarios
}

// excerpt is the end of the suite's own words, for a failure's message.
func (r report) excerpt() string {
	const enough = 4 << 10
	text := strings.TrimSpace(r.output)
	if len(text) > enough {
		text = "…" + text[len(text)-enough:]
	}
	return text
}
