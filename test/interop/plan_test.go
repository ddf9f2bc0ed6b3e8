//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"testing"
)

// plan is what one client does with one server; it is also the form in which the Node drivers read it.
type plan struct {
	Target target `json:"target"`
	// Prefix stands before each tool's and prompt's name; empty straight to the server.
	Prefix string `json:"prefix"`
	// Roots, Sampling and Elicitation are what the client answers when it is asked.
	Roots       []root          `json:"roots"`
	Sampling    json.RawMessage `json:"sampling"`
	Elicitation map[string]any  `json:"elicitation"`
	// Settle lets the client wait for the first tool before it begins: the gateway serves at once, and a server that is
	// still starting comes into its lists a moment later.
	Settle bool   `json:"settle"`
	Steps  []step `json:"steps"`
}

type root struct {
	URI  string `json:"uri"`
	Name string `json:"name"`
}

// target is how the client reaches the other side: a URL, or a command that it starts.
type target struct {
	Kind    string            `json:"kind"` // stdio, http or sse
	URL     string            `json:"url,omitempty"`
	Command string            `json:"command,omitempty"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
}

// The operations of a step; driver.mjs and goclient_test.go carry them out.
const (
	opList      = "list"      // all pages of What; with Until, again and again until a resource has that URI
	opCall      = "call"      // the tool Name with Arguments; with Progress, the progress notifications belong to the result
	opTask      = "task"      // the same as a task of 2025-11-25
	opGet       = "get"       // the prompt Name
	opRead      = "read"      // the resource URI
	opComplete  = "complete"  // Argument of Ref, with Context
	opSubscribe = "subscribe" // to URI, until the tool Name has made it change
)

// step is one operation of a plan.
type step struct {
	Label     string         `json:"label"` // unique in its plan; also the key of the transcript
	Op        string         `json:"op"`
	What      string         `json:"what,omitempty"` // tools, prompts, resources or resourceTemplates
	Until     string         `json:"until,omitempty"`
	Name      string         `json:"name,omitempty"`
	URI       string         `json:"uri,omitempty"`
	Arguments map[string]any `json:"arguments,omitempty"`
	Progress  bool           `json:"progress,omitempty"`
	Ref       *ref           `json:"ref,omitempty"`
	Argument  *argument      `json:"argument,omitempty"`
	Context   *contextArgs   `json:"context,omitempty"`
	// Only names the one client that has an API for the operation; empty means that all have.
	Only string `json:"-"`
	// Shared steps need a connection that all clients share: see the row with isolation in TestParity.
	Shared bool `json:"-"`
}

type ref struct {
	Type string `json:"type"`
	Name string `json:"name,omitempty"`
	URI  string `json:"uri,omitempty"`
}

type argument struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type contextArgs struct {
	Arguments map[string]string `json:"arguments"`
}

// entry is what came back from one step: a result, or the error the SDK raised.
type entry struct {
	Label    string          `json:"label"`
	Result   json.RawMessage `json:"result,omitempty"`
	Error    json.RawMessage `json:"error,omitempty"`
	Progress json.RawMessage `json:"progress,omitempty"`
}

func call(name string, arguments map[string]any) step {
	return step{Op: opCall, Name: name, Arguments: arguments}
}

func get(name string, arguments map[string]any) step {
	return step{Op: opGet, Name: name, Arguments: arguments}
}

func read(uri string) step { return step{Op: opRead, URI: uri} }

func list(what string) step { return step{Op: opList, What: what} }

// numbered gives the steps that the client can carry out, each with a label of its own; shared ones if asked for.
func numbered(steps []step, client string, shared bool) []step {
	out := make([]step, 0, len(steps))
	for i, s := range steps {
		if (s.Only == "" || s.Only == client) && (shared || !s.Shared) {
			s.Label = fmt.Sprintf("%02d %s %s%s%s", i, s.Op, s.What, s.Name, s.URI)
			out = append(out, s)
		}
	}
	return out
}

// checkCoverage fails when a listed tool, prompt or resource is in no step: a new version of a server must not grow
// something that nobody tries.
func checkCoverage(t *testing.T, transcript []entry, steps []step) {
	t.Helper()
	tried := map[string]bool{}
	for _, s := range steps {
		switch s.Op {
		case opCall, opTask, opSubscribe:
			tried["tools "+s.Name] = true
		case opGet:
			tried["prompts "+s.Name] = true
		case opRead:
			tried["resources "+s.URI] = true
		}
	}
	for i, s := range steps {
		if s.Op != opList || s.What == "resourceTemplates" {
			continue
		}
		var lists map[string][]struct{ Name, URI string }
		if err := json.Unmarshal(transcript[i].Result, &lists); err != nil {
			t.Fatalf("%s: %v in %s%s", s.Label, err, transcript[i].Result, transcript[i].Error)
		}
		if len(lists[s.What]) == 0 {
			t.Errorf("%s: the server has none; the step shows nothing", s.Label)
		}
		for _, item := range lists[s.What] {
			key := s.What + " " + item.Name
			if s.What == "resources" {
				key = s.What + " " + item.URI
			}
			if !tried[key] {
				t.Errorf("%s is listed and in no step", key)
			}
		}
	}
}
