package config

import "strings"

const (
	// maxSecretFile bounds what ${file:…} reads.
	maxSecretFile = 64 << 10
	// maxExpanded bounds one expanded text, so that a text of many references cannot fill the memory.
	maxExpanded = 1 << 20
	// maxExpandDepth bounds ${A:-${B:-…}}.
	maxExpandDepth = 16
	// maxReference bounds the inside of one ${…}, so that looking for its end stays cheap.
	maxReference = 4 << 10
)

// expander replaces references to variables and files in one text:
//
//	${NAME} $NAME        the variable; the text stays when it is not set
//	${env:NAME}          the same (VS Code)
//	${NAME:-default}     the default when NAME is not set or empty; the default may hold references itself
//	${file:/path}        the content of the file without one trailing newline
//	${$}                 a dollar sign
//
// Everything else that begins with $ stays as it is, and a replaced text is not looked at again.
type expander struct {
	lookup   func(name string) (string, bool)
	readFile func(path string) (string, error)
	// missed is called for each reference that was not replaced.
	missed func(missing)
	// replaced is called with the value of each variable and file that was put in; nil is fine.
	replaced func(string)
	// size is what has been written so far.
	size int
}

// missing is a reference that could not be replaced.
type missing struct {
	// ref is the reference as it should be shown: it never holds a default or the text around it.
	ref string
	// bare is true for $NAME, which may as well be a part of somebody's password.
	bare bool
	// reason is set when the cause is another than "not set".
	reason string
}

// expand returns text with its references replaced.
func (e *expander) expand(text string) string { return e.at(text, 0) }

func (e *expander) at(text string, depth int) string {
	if strings.IndexByte(text, '$') < 0 {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			break
		}
		b.WriteString(text[:i])
		text = text[i:]
		value, n := e.reference(text, depth)
		if e.size += len(value); e.size > maxExpanded {
			e.missed(missing{reason: "becomes longer than 1 MiB"})
			return ""
		}
		b.WriteString(value)
		text = text[n:]
	}
	b.WriteString(text)
	return b.String()
}

// reference replaces the reference at the start of text, which begins with $, and returns its length there.
func (e *expander) reference(text string, depth int) (value string, n int) {
	if strings.HasPrefix(text, "${") {
		end := closingBrace(text)
		if end < 0 || depth >= maxExpandDepth {
			return "$", 1
		}
		if value, ok := e.braced(text[2:end], depth); ok {
			return value, end + 1
		}
		return text[:end+1], end + 1
	}
	name := variableName(text[1:])
	if name == 0 {
		return "$", 1
	}
	if value, ok := e.lookup(text[1 : 1+name]); ok {
		return e.put(value), 1 + name
	}
	e.missed(missing{ref: text[:1+name], bare: true})
	return text[:1+name], 1 + name
}

// braced replaces the inside of ${…}; ok is false when the text must stay as it is.
func (e *expander) braced(body string, depth int) (value string, ok bool) {
	if body == "$" {
		return "$", true
	}
	if path, ok := strings.CutPrefix(body, "file:"); ok {
		path = e.at(path, depth+1)
		value, err := e.readFile(path)
		if err != nil {
			e.missed(missing{ref: "${file:" + path + "}", reason: fileReason(err)})
			return "", false
		}
		return e.put(value), true
	}
	if strings.HasPrefix(body, "input:") {
		e.missed(missing{ref: "${" + body + "}", reason: "asks for an input, and nobody can be asked"})
		return "", false
	}
	rest := strings.TrimPrefix(body, "env:")
	name := rest[:variableName(rest)]
	fallback, hasFallback := strings.CutPrefix(rest[len(name):], ":-")
	if name == "" || (!hasFallback && len(name) < len(rest)) {
		return "", false
	}
	value, ok = e.lookup(name)
	switch {
	case ok && (value != "" || !hasFallback):
		return e.put(value), true
	case hasFallback:
		return e.at(fallback, depth+1), true
	default:
		e.missed(missing{ref: "${" + name + "}"})
		return "", false
	}
}

// put notes a value that takes the place of a reference.
func (e *expander) put(value string) string {
	if e.replaced != nil {
		e.replaced(value)
	}
	return value
}

// closingBrace returns the index of the } that closes the ${ at the start of text, or -1.
func closingBrace(text string) int {
	depth := 0
	for i := 0; i < min(len(text), maxReference); i++ {
		switch {
		case text[i] == '$' && i+1 < len(text) && text[i+1] == '{':
			depth++
			i++
		case text[i] == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
