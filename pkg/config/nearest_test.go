package config

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"command", "args", "env", "envFilter", "headers", "disabledTools", "instructionOverride"}
	for _, tt := range []struct{ rule, word, want string }{
		{"a missing letter", "arg", "args"},
		{"a letter too much", "commmand", "command"},
		{"two letters swapped", "commnad", "command"},
		{"case does not matter", "envfilter", "envFilter"},
		{"the first letters of a key", "instruction", "instructionOverride"},
		{"nothing near", "description", ""},
		{"a short word may differ in one letter only", "abc", ""},
		{"an empty word", "", ""},
	} {
		if got := nearest(tt.word, known); got != tt.want {
			t.Errorf("%s: nearest(%q) = %q, want %q", tt.rule, tt.word, got, tt.want)
		}
	}
}
