//go:build conformance

package conformance

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"text/tabwriter"
)

// optional lists the checks that direct passes and that need not be made through the gateway, each with its reason.
// The gateway answers in plain JSON as long as nothing precedes the answer, and the suite then has nothing to check.
var optional = map[string]string{
	"server-sse-retry-field":        "a SHOULD about an SSE answer; the suite takes a plain JSON answer as INFO",
	"server-sse-streams-functional": "about SSE answers; the suite says itself that they are optional",
}

// row is one line of the table at the end.
type row struct {
	gate, revision              string
	passed, scenarios           int
	checks, failures, warnings  int
	directChecks, directWarning int
}

var table struct {
	sync.Mutex
	rows []row
}

// judge holds a run through the gateway against the direct run of the same scenarios: want of them, none failing, none
// with a warning that the direct run does not have, none without a check that the direct run passes (see optional).
func judge(t *testing.T, gate, revision string, want int, got, direct report) {
	t.Helper()
	passed := 0
	for _, scenario := range slices.Sorted(maps.Keys(got.scenarios)) {
		problems := compare(got.scenarios[scenario], direct.scenarios[scenario])
		if len(problems) == 0 {
			passed++
		}
		for _, problem := range problems {
			t.Errorf("%s: %s", scenario, problem)
		}
	}
	if passed != want {
		t.Errorf("%d of %d scenarios passed, the gate is %d; the suite said:\n%s", passed, len(got.scenarios), want, got.excerpt())
	}
	if got.exit > direct.exit {
		t.Errorf("the suite ended with code %d, direct with %d", got.exit, direct.exit)
	}
	record(gate, revision, passed, got, direct)
}

// compare tells what is worse than direct in one scenario.
func compare(got, direct []check) (problems []string) {
	known := map[string]int{}
	for _, c := range direct {
		if c.Status == "WARNING" {
			known[c.ID]++
		}
	}
	for _, c := range got {
		switch {
		case c.Status == "FAILURE":
			problems = append(problems, fmt.Sprintf("FAILURE %s: %s", c.ID, c.ErrorMessage))
		case c.Status == "WARNING" && known[c.ID] == 0:
			problems = append(problems, fmt.Sprintf("WARNING that direct does not have, %s: %s", c.ID, c.ErrorMessage))
		case c.Status == "WARNING":
			known[c.ID]--
		}
	}
	good := successes(got)
	for id, n := range successes(direct) {
		if _, ok := optional[id]; !ok && good[id] < n {
			problems = append(problems, fmt.Sprintf("%s succeeded %d times, direct %d times", id, good[id], n))
		}
	}
	if len(got) == 0 {
		problems = append(problems, "nothing was checked")
	}
	return problems
}

// successes counts the successful checks of each id.
func successes(checks []check) map[string]int {
	n := map[string]int{}
	for _, c := range checks {
		if c.Status == "SUCCESS" {
			n[c.ID]++
		}
	}
	return n
}

// record adds a line to the table.
func record(gate, revision string, passed int, got, direct report) {
	table.Lock()
	defer table.Unlock()
	table.rows = append(table.rows, row{
		gate: gate, revision: revision,
		passed: passed, scenarios: len(got.scenarios),
		checks:   got.count("SUCCESS", "FAILURE", "WARNING"),
		failures: got.count("FAILURE"), warnings: got.count("WARNING"),
		directChecks:  direct.count("SUCCESS", "FAILURE", "WARNING"),
		directWarning: direct.count("WARNING"),
	})
}

// printTable writes what was recorded, in the order of the runs.
func printTable(w io.Writer) {
	table.Lock()
	defer table.Unlock()
	if len(table.rows) == 0 {
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "gate\trevision\tscenarios passed\tchecks\tfailures\twarnings\tdirect checks (warnings)")
	for _, r := range table.rows {
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%d/%d\t%d\t%d\t%d\t%d (%d)\n", r.gate, r.revision, r.passed, r.scenarios,
			r.checks, r.failures, r.warnings, r.directChecks, r.directWarning)
	}
	_ = tw.Flush()
}
