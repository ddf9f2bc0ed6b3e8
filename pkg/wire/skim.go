package wire

import "bytes"

// skimString finds the end of a string from i, the byte after its opening quote, without looking at its contents.
func skimString(b []byte, i int) (next int, escaped bool, reason string) {
	start := i
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b), false, reasonUnended
		}
		// Backslashes before i are spent: b[i-1] is the opening quote or an escaped one. This keeps the pass linear.
		odd := trailingBackslashes(b[i:i+n])&1 != 0
		i += n + 1
		if !odd {
			return i, bytes.IndexByte(b[start:i], '\\') >= 0, ""
		}
	}
}

func trailingBackslashes(b []byte) int {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n
}

// skim passes the value at s.i: strings and containers are only matched, a scalar is validated.
func (s *scanner) skim() bool {
	if s.i < len(s.b) {
		switch s.b[s.i] {
		case '"', '{', '[':
			k := skipper{depth: s.depth}
			next, done, reason := k.run(s.b, s.i, s.depth)
			if reason != "" {
				return s.fail(codeParse, reason, next)
			}
			if !done {
				return s.expected("", next)
			}
			s.i = next
			return true
		}
	}
	next, reason := scanScalar(s.b, s.i)
	if reason != "" {
		return s.expected(reason, next)
	}
	s.i = next
	return true
}

// class sorts bytes for skipper: only these matter between strings.
type class uint8

const (
	classOther class = iota
	classQuote
	classOpenObject
	classOpenArray
	classCloseObject
	classCloseArray
)

var classes = [256]class{
	'"': classQuote, '{': classOpenObject, '[': classOpenArray, '}': classCloseObject, ']': classCloseArray,
}

// skipper passes a string, object or array by matching brackets and string ends. It can stop and go on at any byte, so
// that a value may come in pieces.
type skipper struct {
	kinds    [MaxDepth / 64]uint64 // bit d is set if the container at depth d is an object
	depth    int
	inString bool
	escaped  bool // the last byte was a backslash that escapes the next
}

// run goes on at b[i] until the value that began at depth floor is complete (done) or b ends. It returns the index after
// what it consumed; with a reason, the offset of the fault.
func (k *skipper) run(b []byte, i, floor int) (next int, done bool, reason string) {
	for i < len(b) {
		if k.inString {
			if i = k.finishString(b, i); k.inString {
				return i, false, ""
			}
			if k.depth == floor {
				return i, true, ""
			}
			continue
		}
		c := classes[b[i]]
		i++
		switch c {
		case classOther:
		case classQuote:
			k.inString = true
		case classOpenObject, classOpenArray:
			if k.depth >= MaxDepth {
				return i - 1, false, "nested too deep"
			}
			word, bit := &k.kinds[k.depth>>6], uint64(1)<<(k.depth&63)
			if *word &^= bit; c == classOpenObject {
				*word |= bit
			}
			k.depth++
		default:
			k.depth--
			object := k.kinds[k.depth>>6]>>(k.depth&63)&1 != 0
			if object != (c == classCloseObject) {
				return i - 1, false, "mismatched bracket"
			}
			if k.depth == floor {
				return i, true, ""
			}
		}
	}
	return i, false, ""
}

// finishString goes on inside a string at b[i]; if the string ends, inString becomes false.
func (k *skipper) finishString(b []byte, i int) int {
	if k.escaped {
		k.escaped = false
		i++
	}
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			k.escaped = trailingBackslashes(b[i:])&1 != 0
			return len(b)
		}
		odd := trailingBackslashes(b[i:i+n])&1 != 0
		i += n + 1
		if !odd {
			k.inString = false
			return i
		}
	}
}
