package wire

import "bytes"

// Batch reports whether raw is a batch (JSON-RPC 2.0 §6): its first byte that is not white space opens an array.
func Batch(raw []byte) bool {
	i := skipSpace(raw, 0)
	return i < len(raw) && raw[i] == '['
}

// SplitBatch returns the elements of a batch of at most limit messages. The whole text is validated like a message from a
// client, duplicate keys included, but an element need not be a message: give each to Parse and answer those it refuses
// with -32600 (JSON-RPC 2.0 §6). The error is a *SyntaxError: -32700 if the text is not acceptable JSON, -32600 if it is
// not an array, is empty, has more than limit elements, or an object has a key twice.
func SplitBatch(raw []byte, limit int) ([]Span, error) {
	s := scanner{b: raw}
	elements, ok := s.batch(limit)
	s.keys.release()
	if !ok {
		return nil, s.err
	}
	return elements, nil
}

func (s *scanner) batch(limit int) ([]Span, bool) {
	if len(s.b) > maxScan {
		return nil, s.fail(codeInvalid, "message too large", maxScan)
	}
	if bytes.HasPrefix(s.b, bom) {
		return nil, s.fail(codeParse, "byte order mark before the message", 0)
	}
	s.i = skipSpace(s.b, 0)
	if s.i >= len(s.b) || s.b[s.i] != '[' {
		return nil, s.fail(codeInvalid, "not a batch", s.i)
	}
	start := s.i
	s.i = skipSpace(s.b, s.i+1)
	var elements []Span
	for first := true; ; first = false {
		if first && s.i < len(s.b) && s.b[s.i] == ']' {
			break
		}
		if len(elements) >= limit {
			return nil, s.fail(codeInvalid, "too many messages in a batch", s.i)
		}
		from := s.i
		if !s.value() { // the array itself does not count as depth, as each element is parsed on its own
			return nil, false
		}
		elements = append(elements, Span{from, s.i})
		s.i = skipSpace(s.b, s.i)
		if s.i >= len(s.b) || s.b[s.i] != ',' {
			break
		}
		s.i = skipSpace(s.b, s.i+1)
	}
	if s.i >= len(s.b) || s.b[s.i] != ']' {
		return nil, s.expected("expected ',' or ']'", s.i)
	}
	if s.i = skipSpace(s.b, s.i+1); s.i != len(s.b) {
		return nil, s.fail(codeParse, "trailing bytes after the batch", s.i)
	}
	if len(elements) == 0 {
		return nil, s.fail(codeInvalid, "empty batch", start)
	}
	return elements, true
}
