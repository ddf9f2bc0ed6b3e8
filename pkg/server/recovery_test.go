package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// TestGuardThatPanicsDoesNotLetTheRequestThrough is F9 of gin: recovery without abort runs the next handler.
func TestGuardThatPanicsDoesNotLetTheRequestThrough(t *testing.T) {
	e := newEdge(t, Config{Redact: func(s string) string { return strings.ReplaceAll(s, "hunter2", "[redacted]") }})
	ran := false
	e.engine.GET("/guarded", func(*gin.Context) { panic("password hunter2") }, func(*gin.Context) { ran = true })
	w := e.do(t, "GET", "/guarded")
	if w.Code != 500 || ran || code(t, w) != "internal" || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("%d %s, protected handler ran: %v", w.Code, w.Body, ran)
	}
	lines := e.log.all(t)
	if len(lines) != 2 {
		t.Fatalf("%d log lines: %v", len(lines), lines)
	}
	if got := lines[0]["panic"]; got != "string: password [redacted]" {
		t.Errorf("panic logged as %q", got)
	}
	if stack, _ := lines[0]["stack"].(string); !strings.HasPrefix(stack, "server.TestGuardThatPanics") || strings.Contains(stack, "/") && strings.Contains(stack, "/home") {
		t.Errorf("stack begins elsewhere: %q", stack)
	}
	if lines[1]["status"] != 500.0 || lines[1]["request_id"] != lines[0]["request_id"] {
		t.Errorf("access line: %v", lines[1])
	}
}

func TestPanicWithoutRedactionTellsOnlyItsType(t *testing.T) {
	e := newEdge(t, Config{})
	e.Mount("/panics", []string{"GET"}, MCP, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(errors.New("hunter2")) }))
	e.do(t, "GET", "/panics")
	if got := e.log.all(t)[0]["panic"]; got != "*errors.errorString" {
		t.Errorf("panic logged as %q", got)
	}
}

// TestPanicInTheMiddleOfAnAnswerCutsIt: half an answer must not look like a whole one.
func TestPanicInTheMiddleOfAnAnswerCutsIt(t *testing.T) {
	e := newEdge(t, Config{})
	for _, c := range []struct {
		path  string
		panic any
	}{{"/half", "x"}, {"/aborted", http.ErrAbortHandler}, {"/wrapped", fmt.Errorf("gone: %w", http.ErrAbortHandler)}} {
		e.Mount(c.path, []string{"GET"}, MCP, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			panic(c.panic)
		}))
	}
	url, stop := e.serve(t)
	defer stop()
	for _, path := range []string{"/half", "/aborted", "/wrapped"} {
		resp, err := http.Get(url + path)
		if err != nil {
			continue // cut before the header had gone
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil {
			t.Errorf("%s: %q looks whole", path, body)
		}
	}
	stop()
	counts := map[string]int{}
	for _, l := range e.log.all(t) {
		counts[l["message"].(string)]++
	}
	if counts["handler panicked"] != 1 || counts["request"] != 3 {
		t.Errorf("log: %v", counts)
	}
}
