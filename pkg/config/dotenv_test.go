package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDotEnv(t *testing.T) {
	tests := []struct {
		rule, text string
		want       map[string]string
		err        string
	}{
		{"empty", "", map[string]string{}, ""},
		{"a value", "A=1", map[string]string{"A": "1"}, ""},
		{"export, spaces, comments, empty lines, CRLF", "# c\r\n\r\n export A = 1 # c\r\nB=2", map[string]string{"A": "1", "B": "2"}, ""},
		{"a byte order mark", "\ufeffA=1", map[string]string{"A": "1"}, ""},
		{"the last one holds", "A=1\nA=2", map[string]string{"A": "2"}, ""},
		{"a value may be empty", "A=\nB=\"\"", map[string]string{"A": "", "B": ""}, ""},
		{"# needs a space before it", "A=a#b\nB=#c\nC=x\t#c", map[string]string{"A": "a#b", "B": "", "C": "x"}, ""},
		{"= and quotes within a value", `A=a=b"c'`, map[string]string{"A": `a=b"c'`}, ""},
		{"single quotes take everything", `A='a \n $B # "' # c`, map[string]string{"A": `a \n $B # "`}, ""},
		{"double quotes have five escapes", `A="a\n\r\t\"\\ \x $B"`, map[string]string{"A": "a\n\r\t\"\\ \\x $B"}, ""},
		{"a variable may begin with export", "export=1\nexported=2", map[string]string{"export": "1", "exported": "2"}, ""},
		{"no =", "A=1\nword", nil, "line 2: is not KEY=VALUE"},
		{"no name", "=1", nil, "line 1: the name before = must be letters, digits and _, and not begin with a digit"},
		{"a name with a dash", "a-b=1", nil, "line 1: the name before = must be letters, digits and _, and not begin with a digit"},
		{"text after the quote", `A="x"y`, nil, "line 1: the value of A has text after its closing quote"},
		{"an open quote", "A='x\nB=1", nil, "line 1: the value of A has no closing quote"},
		{"an escaped last quote", `A="x\"`, nil, "line 1: the value of A has no closing quote"},
		{"a NUL byte", "A=x\x00", nil, "line 1: the value of A holds a NUL byte"},
		{"a NUL byte in quotes", "A='\x00'", nil, "line 1: the value of A holds a NUL byte"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got, err := parseDotEnv(tt.text)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || message != tt.err {
				t.Errorf("error %q, want %q; values (-want +got):\n%s", message, tt.err, diff)
			}
		})
	}
}
