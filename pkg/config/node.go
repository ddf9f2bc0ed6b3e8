package config

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tailscale/hujson"
)

const (
	// maxFile bounds mcp.json and presets.json.
	maxFile = 4 << 20
	// maxDepth bounds nesting; the deepest thing that mcp.json means anything by is 4 levels down.
	maxDepth = 64
)

// node is a value of the file with its place, so that each problem can name both.
type node struct {
	l    *loader
	v    *hujson.Value
	path string
}

// member is one key of an object.
type member struct {
	key string
	// at is the place of the key.
	at node
	node
}

// errSyntax is wrapped by every error that means "this is not JSON".
var errSyntax = errors.New("is not JSON")

// parseDocument parses JSON with comments and trailing commas. Its errors name line and column and never quote more of
// the text than one character.
func parseDocument(data []byte) (*hujson.Value, error) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil, fmt.Errorf("%w: it is UTF-16; save it as UTF-8", errSyntax)
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%w: it is not valid UTF-8; save it as UTF-8", errSyntax)
	}
	if deeperThan(data, maxDepth) {
		return nil, fmt.Errorf("%w that makes sense here: it is nested deeper than %d levels", errSyntax, maxDepth)
	}
	v, err := hujson.Parse(append(data[:len(data):len(data)], '\n'))
	if err != nil {
		// A literal that is not valid is quoted in full by the parser, and it may be a password.
		text, _, cut := strings.Cut(strings.TrimPrefix(err.Error(), "hujson: "), "invalid literal: ")
		if cut {
			text += "a word or a string that is not valid"
		}
		return nil, fmt.Errorf("%w: %s", errSyntax, text)
	}
	return &v, nil
}

// withoutBOM removes the byte order mark that editors on Windows write.
func withoutBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }

// deeperThan reports whether brackets nest deeper than limit. The parser recurses, so this is asked first.
func deeperThan(data []byte, limit int) bool {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth++; depth > limit {
				return true
			}
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
		case '/':
			i += commentLength(data[i:])
		}
	}
	return false
}

// commentLength returns how many bytes to skip to stand on the last byte of the comment at the start of data.
func commentLength(data []byte) int {
	var end string
	switch {
	case bytes.HasPrefix(data, []byte("//")):
		end = "\n"
	case bytes.HasPrefix(data, []byte("/*")):
		end = "*/"
	default:
		return 0
	}
	if i := bytes.Index(data[2:], []byte(end)); i >= 0 {
		return 2 + i + len(end) - 1
	}
	return len(data)
}

func (n node) fail(message, cure string) { n.l.add(Error, n.path, n.v.StartOffset, message, cure) }
func (n node) warn(message, cure string) { n.l.add(Warning, n.path, n.v.StartOffset, message, cure) }

// what describes the kind of the value in words.
func (n node) what() string {
	switch n.v.Value.Kind() {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	default:
		return "null"
	}
}

func (n node) mustBe(what string) { n.fail("must be "+what+", not "+n.what(), "") }

// members returns the members of an object in order, without comment keys. A key that is given twice is a problem and
// is returned once.
func (n node) members(twice string) ([]member, bool) {
	obj, ok := n.v.Value.(*hujson.Object)
	if !ok {
		n.mustBe("an object")
		return nil, false
	}
	out := make([]member, 0, len(obj.Members))
	first := make(map[string]int, len(obj.Members))
	for i := range obj.Members {
		name, value := &obj.Members[i].Name, &obj.Members[i].Value
		key := name.Value.(hujson.Literal).String()
		if isComment(key) {
			continue
		}
		path := childPath(n.path, key)
		at := node{n.l, name, path}
		if offset, seen := first[key]; seen {
			line, _ := n.l.position(offset)
			at.fail(fmt.Sprintf("%s, first in line %d", twice, line), "keep one of them")
			continue
		}
		first[key] = name.StartOffset
		out = append(out, member{key, at, node{n.l, value, path}})
	}
	return out, true
}

// isComment reports whether a key is a comment by convention.
func isComment(key string) bool { return strings.HasPrefix(key, "//") || key == "$comment" }

func (n node) elements() ([]node, bool) {
	arr, ok := n.v.Value.(*hujson.Array)
	if !ok {
		n.mustBe("an array")
		return nil, false
	}
	out := make([]node, len(arr.Elements))
	for i := range arr.Elements {
		out[i] = node{n.l, &arr.Elements[i], fmt.Sprintf("%s[%d]", n.path, i)}
	}
	return out, true
}

// raw returns a text as it is written, without substitution.
func (n node) raw() (string, bool) {
	if n.v.Value.Kind() != '"' {
		n.mustBe("a string")
		return "", false
	}
	return n.v.Value.(hujson.Literal).String(), true
}

// text returns a text with its references replaced.
func (n node) text() (string, bool) {
	s, ok := n.raw()
	if !ok {
		return "", false
	}
	return n.l.expand(n, s), true
}

// value returns a text with its references replaced and takes a number or boolean as its text, which people write for
// variables such as PORT.
func (n node) value() (string, bool) {
	switch n.v.Value.Kind() {
	case '0', 't', 'f':
		s := string(n.v.Value.(hujson.Literal))
		n.warn("is "+n.what()+"; its text is used", "write it in quotes")
		return s, true
	default:
		return n.text()
	}
}

// boolean returns true or false, also when written as a text that becomes one by substitution.
func (n node) boolean() (value, ok bool) {
	switch n.v.Value.Kind() {
	case 't', 'f':
		return n.v.Value.(hujson.Literal).Bool(), true
	case '"':
		s, _ := n.text()
		if b, known := parseBool(s); known {
			return b, true
		}
		n.fail("must be true or false", "")
		return false, false
	default:
		n.mustBe("true or false")
		return false, false
	}
}

// whole returns a whole number between low and high.
func (n node) whole(low, high int) (int, bool) {
	if n.v.Value.Kind() != '0' {
		n.mustBe("a number")
		return 0, false
	}
	v, err := strconv.ParseFloat(string(n.v.Value.(hujson.Literal)), 64)
	if err != nil || v != math.Trunc(v) || v < float64(low) || v > float64(high) {
		n.fail(fmt.Sprintf("must be a whole number from %d to %d", low, high), "")
		return 0, false
	}
	return int(v), true
}

// duration returns a time: a number in units, or a text with its own unit such as "30s".
func (n node) duration(unit time.Duration, low time.Duration) (time.Duration, bool) {
	const longest = 24 * time.Hour
	word := map[time.Duration]string{time.Millisecond: "milliseconds", time.Second: "seconds"}[unit]
	var d time.Duration
	switch n.v.Value.Kind() {
	case '0':
		v, err := strconv.ParseFloat(string(n.v.Value.(hujson.Literal)), 64)
		if err != nil || math.Abs(v) > float64(longest/unit) {
			n.fail("is out of range", fmt.Sprintf("write %s from %d to %d", word, low/unit, longest/unit))
			return 0, false
		}
		d = time.Duration(v * float64(unit))
	case '"':
		s, _ := n.text()
		var err error
		if d, err = time.ParseDuration(s); err != nil {
			n.fail("is not a time", fmt.Sprintf(`write %s as a number, or a string with a unit such as "30s"`, word))
			return 0, false
		}
	default:
		n.mustBe("a number of " + word + ` or a string such as "30s"`)
		return 0, false
	}
	if d < low || d > longest {
		n.fail("is out of range", fmt.Sprintf("write %s from %d to %d", word, low/unit, longest/unit))
		return 0, false
	}
	return d, true
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_$-]+$`)

// childPath appends a key to a JSON path: servers.github, or servers["my server"] when the key is not plain.
func childPath(parent, key string) string {
	switch {
	case !plainKey.MatchString(key) || len(key) > 100:
		return parent + "[" + quote(key) + "]"
	case parent == "":
		return key
	default:
		return parent + "." + key
	}
}

// quote returns s in quotes, shortened, with control characters escaped.
func quote(s string) string {
	const longest = 100
	if len(s) > longest {
		return strconv.Quote(strings.ToValidUTF8(s[:longest], "")) + "…"
	}
	return strconv.Quote(s)
}

// parseBool takes the spellings that flags and variables use.
func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1", "yes", "on":
		return true, true
	case "false", "0", "no", "off":
		return false, true
	}
	return false, false
}
