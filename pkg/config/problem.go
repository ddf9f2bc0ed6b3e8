package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Severity tells whether a problem stops the thing it is about.
type Severity uint8

const (
	// Error makes the server (or the option) unusable: it is left out.
	Error Severity = iota
	// Warning leaves everything running, but something will not do what its author thinks.
	Warning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// MarshalText lets reports be printed as JSON with words.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Problem is one thing that is wrong with the configuration.
// Its texts never hold a value that may be secret: they name the key.
type Problem struct {
	// Path is where: a JSON path such as mcpServers.github.url, a flag such as --port, a variable such as ONE_MCP_PORT,
	// or "config.toml: port". It is empty for a problem of the file as a whole.
	Path string `json:"path"`
	// Message says what is wrong.
	Message string `json:"message"`
	// Cure says what to do about it; it may be empty.
	Cure     string   `json:"cure,omitempty"`
	Severity Severity `json:"severity"`
	// Line and Column count from 1, in bytes; 0 where the source has no lines (flags, variables).
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// String returns "path: message; cure".
func (p Problem) String() string {
	var b strings.Builder
	if p.Path != "" {
		b.WriteString(p.Path)
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.Cure != "" {
		b.WriteString("; ")
		b.WriteString(p.Cure)
	}
	return b.String()
}

// Position returns "line:column", or "" where there is none.
func (p Problem) Position() string {
	if p.Line == 0 {
		return ""
	}
	return fmt.Sprintf("%d:%d", p.Line, p.Column)
}

// Report is every problem that one reading found, in the order of the file.
type Report []Problem

// Errors returns the problems of severity Error.
func (r Report) Errors() Report { return r.only(Error) }

// Warnings returns the problems of severity Warning.
func (r Report) Warnings() Report { return r.only(Warning) }

// HasErrors reports whether any problem is an Error.
func (r Report) HasErrors() bool {
	return slices.ContainsFunc(r, func(p Problem) bool { return p.Severity == Error })
}

// Err returns one error with a line per problem of severity Error, or nil when there is none.
func (r Report) Err() error {
	var errs []error
	for _, p := range r.Errors() {
		errs = append(errs, errors.New(p.String()))
	}
	return errors.Join(errs...)
}

func (r Report) only(s Severity) Report {
	var out Report
	for _, p := range r {
		if p.Severity == s {
			out = append(out, p)
		}
	}
	return out
}

// sort puts problems in the order of the file; those found at one place keep the order in which they were found.
func (r Report) sort() {
	slices.SortStableFunc(r, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
