package wire

import "iter"

// Lookup returns the value of an object's member. The key is compared case-sensitively after unescaping; if the object
// has it twice (possible inside what Skim did not check) the first counts. obj must be a value of a message that Parse
// or Skim accepted; anything but an object has no members.
func Lookup(raw []byte, obj Span, key string) (Span, bool) {
	for name, value := range Members(raw, obj) {
		if equalString(name.Of(raw), key) {
			return value, true
		}
	}
	return Span{}, false
}

// Members yields the key (with its quotes) and the value of each member of an object, in order. It ends early where raw
// is malformed.
func Members(raw []byte, obj Span) iter.Seq2[Span, Span] {
	return func(yield func(Span, Span) bool) {
		c := cursor{raw, obj.Start}
		if !obj.in(raw) || !c.take('{') {
			return
		}
		for {
			c.i = skipSpace(c.b, c.i)
			if c.i >= obj.End || c.b[c.i] != '"' {
				return
			}
			name, ok := c.value()
			if !ok || !c.take(':') {
				return
			}
			value, ok := c.value()
			if !ok || !yield(name, value) || !c.take(',') {
				return
			}
		}
	}
}

// Elements yields each value of an array, in order. It ends early where raw is malformed.
func Elements(raw []byte, arr Span) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		c := cursor{raw, arr.Start}
		if !arr.in(raw) || !c.take('[') {
			return
		}
		for {
			value, ok := c.value()
			if !ok || !yield(value) || !c.take(',') {
				return
			}
		}
	}
}

func (s Span) in(b []byte) bool { return 0 <= s.Start && s.Start < s.End && s.End <= len(b) }

// cursor walks over JSON that has been scanned before, and stays in bounds over anything else.
type cursor struct {
	b []byte
	i int
}

// take consumes c after white space.
func (c *cursor) take(want byte) bool {
	i := skipSpace(c.b, c.i)
	if i >= len(c.b) || c.b[i] != want {
		return false
	}
	c.i = i + 1
	return true
}

// value consumes one value after white space.
func (c *cursor) value() (Span, bool) {
	start := skipSpace(c.b, c.i)
	if start >= len(c.b) {
		return Span{}, false
	}
	switch c.b[start] {
	case '"', '{', '[':
		var k skipper
		next, done, reason := k.run(c.b, start, 0)
		if reason != "" || !done {
			return Span{}, false
		}
		c.i = next
	default:
		next, reason := scanScalar(c.b, start)
		if reason != "" {
			return Span{}, false
		}
		c.i = next
	}
	return Span{start, c.i}, true
}
