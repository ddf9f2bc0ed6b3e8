package config

import (
	"fmt"
	"strings"
)

// parseDotEnv reads the .env file that may stand beside mcp.json: lines of KEY=VALUE with an optional "export ",
// single or double quotes, escapes (\n \r \t \" \\) only within double quotes, and comments (a # at the start of a line
// or after white space). One malformed line refuses the whole file, because half a set of credentials is worse than
// none. An error names the line and never the value.
func parseDotEnv(text string) (map[string]string, error) {
	vars := map[string]string{}
	text = strings.TrimPrefix(text, "\ufeff")
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, err := parseDotEnvLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		vars[name] = value
	}
	return vars, nil
}

func parseDotEnvLine(line string) (name, value string, err error) {
	if rest, ok := strings.CutPrefix(line, "export"); ok && rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
		line = strings.TrimSpace(rest)
	}
	name, rest, ok := strings.Cut(line, "=")
	if !ok {
		return "", "", fmt.Errorf("is not KEY=VALUE")
	}
	name = strings.TrimSpace(name)
	if !isVariableName(name) {
		return "", "", fmt.Errorf("the name before = must be letters, digits and _, and not begin with a digit")
	}
	rest = strings.TrimLeft(rest, " \t")
	if rest == "" || (rest[0] != '"' && rest[0] != '\'') {
		value, err = unquotedValue(rest)
	} else {
		value, err = quotedValue(rest)
	}
	if err != nil {
		return "", "", fmt.Errorf("the value of %s %w", name, err)
	}
	return name, value, nil
}

// unquotedValue is the text up to a comment; # begins one at the start or after white space.
func unquotedValue(text string) (string, error) {
	for i := 0; i < len(text); i++ {
		if text[i] == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t') {
			text = text[:i]
			break
		}
	}
	if strings.ContainsRune(text, 0) {
		return "", fmt.Errorf("holds a NUL byte")
	}
	return strings.TrimRight(text, " \t"), nil
}

func quotedValue(text string) (string, error) {
	quote := text[0]
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == quote:
			if after := strings.TrimSpace(text[i+1:]); after != "" && after[0] != '#' {
				return "", fmt.Errorf("has text after its closing quote")
			}
			return b.String(), nil
		case c == '\\' && quote == '"' && i+1 < len(text):
			i++
			if plain := strings.IndexByte(`nrt"\`, text[i]); plain >= 0 {
				b.WriteByte("\n\r\t\"\\"[plain])
			} else {
				b.WriteByte('\\')
				b.WriteByte(text[i])
			}
		case c == 0:
			return "", fmt.Errorf("holds a NUL byte")
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("has no closing quote")
}

// isVariableName reports whether s is a letter or underscore followed by letters, digits and underscores.
func isVariableName(s string) bool { return s != "" && variableName(s) == len(s) }

// variableName returns the length of the variable name at the start of s, 0 when there is none.
func variableName(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}
