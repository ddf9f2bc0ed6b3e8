package wire

import "bytes"

// field is a member that the scanner remembers; fieldNone collects all others.
type field uint8

const (
	fieldNone field = iota
	fieldVersion
	fieldID
	fieldMethod
	fieldParams
	fieldResult
	fieldError
	fieldName
	fieldURI
	fieldCursor
	fieldMeta
	fieldRequestID
	fieldTaskID
	fieldParamsToken
	fieldMetaToken
	fieldResultType
	fieldCount
)

// level is an object whose members the scanner looks at.
type level uint8

const (
	levelNone level = iota
	levelEnvelope
	levelParams
	levelResult
	levelMeta
)

// inside is the level that opens when a field's value is an object. It forms a tree three levels deep, which bounds the
// recursion of scanner.object whatever the input is.
var inside = [fieldCount]level{fieldParams: levelParams, fieldResult: levelResult, fieldMeta: levelMeta}

// find returns the field that an unescaped key names on this level.
func (l level) find(key []byte) field {
	switch l {
	case levelEnvelope:
		switch string(key) {
		case "jsonrpc":
			return fieldVersion
		case "id":
			return fieldID
		case "method":
			return fieldMethod
		case "params":
			return fieldParams
		case "result":
			return fieldResult
		case "error":
			return fieldError
		}
	case levelParams:
		switch string(key) {
		case "name":
			return fieldName
		case "uri":
			return fieldURI
		case "cursor":
			return fieldCursor
		case "_meta":
			return fieldMeta
		case "requestId":
			return fieldRequestID
		case "taskId":
			return fieldTaskID
		case "progressToken":
			return fieldParamsToken
		}
	case levelMeta:
		if string(key) == "progressToken" {
			return fieldMetaToken
		}
	case levelResult:
		if string(key) == "resultType" {
			return fieldResultType
		}
	}
	return fieldNone
}

const reasonCase = "key differs from a known one in case only"

// known are the keys of a level that somebody decides on. Servers that match keys without regard to case (Go's encoding/json
// among them) would take another spelling for the key itself, behind the back of whoever looked at the exact one (threat S12).
var known = [...][]string{
	levelEnvelope: {"jsonrpc", "id", "method", "params", "result", "error"},
	levelParams: {"name", "uri", "cursor", "_meta", "requestId", "taskId", "progressToken", "arguments", "ref", "level",
		"protocolVersion", "capabilities", "clientInfo"},
	levelResult: {},
	levelMeta:   {"progressToken"},
}

// alike tells whether a key is a known one of this level but for its case.
func (l level) alike(key []byte) bool {
	for _, k := range known[l] {
		if len(key) >= len(k) && len(key) <= 3*len(k) && string(key) != k && bytes.EqualFold(key, []byte(k)) {
			return true
		}
	}
	return false
}

// scanner is the state of one pass over b. Its methods return false after they have set err.
type scanner struct {
	b     []byte
	i     int
	lax   bool // Skim: do not look inside values beyond the known levels
	depth int
	kinds [MaxDepth / 64]uint64 // bit d is set if the container at depth d is an object
	keys  keyset
	spans [fieldCount]Span
	err   *SyntaxError
}

var bom = []byte("\xef\xbb\xbf")

func scanMessage(raw []byte, lax bool) (Message, error) {
	s := scanner{b: raw, lax: lax}
	ok := s.message()
	s.keys.release()
	if !ok {
		return Message{Raw: raw}, s.err
	}
	m, err := s.envelope()
	if err != nil {
		return m, err
	}
	return m, nil
}

// message scans the whole of b as one object, and finds out whether something else is at least JSON.
func (s *scanner) message() bool {
	if len(s.b) > maxScan {
		return s.fail(codeInvalid, "message too large", maxScan)
	}
	if bytes.HasPrefix(s.b, bom) {
		return s.fail(codeParse, "byte order mark before the message", 0)
	}
	s.i = skipSpace(s.b, 0)
	if s.i == len(s.b) {
		return s.fail(codeParse, "empty message", s.i)
	}
	start, object := s.i, s.b[s.i] == '{'
	if object && !s.object(levelEnvelope) || !object && !s.value() {
		return false
	}
	if s.i = skipSpace(s.b, s.i); s.i != len(s.b) {
		return s.fail(codeParse, "trailing bytes after the message", s.i)
	}
	if !object {
		return s.fail(codeInvalid, "a message must be an object", start)
	}
	return true
}

func (s *scanner) fail(code int, reason string, at int) bool {
	s.err = &SyntaxError{Code: code, Reason: reason, Offset: at}
	return false
}

// expected fails at i: the text ended, or something else stands there.
func (s *scanner) expected(reason string, i int) bool {
	s.i = i
	if i >= len(s.b) {
		reason = reasonUnended
	}
	return s.fail(codeParse, reason, i)
}

// push opens a container at i.
func (s *scanner) push(object bool, i int) bool {
	if s.depth >= MaxDepth {
		return s.fail(codeParse, "nested too deep", i)
	}
	word, bit := &s.kinds[s.depth>>6], uint64(1)<<(s.depth&63)
	if object {
		*word |= bit
	} else {
		*word &^= bit
	}
	s.depth++
	return true
}

// inObject reports whether the innermost container is an object.
func (s *scanner) inObject() bool {
	d := s.depth - 1
	return s.kinds[d>>6]>>(d&63)&1 != 0
}

// object scans the object at s.i and remembers the fields of its level.
func (s *scanner) object(l level) bool {
	if !s.push(true, s.i) {
		return false
	}
	s.keys.open()
	s.i = skipSpace(s.b, s.i+1)
	for first := true; ; first = false {
		if first && s.i < len(s.b) && s.b[s.i] == '}' {
			break
		}
		key, ok := s.key()
		if !ok {
			return false
		}
		f, start := l.find(key), s.i
		if f == fieldNone && !s.lax && l.alike(key) {
			return s.fail(codeInvalid, reasonCase, start)
		}
		if next := inside[f]; next != levelNone && start < len(s.b) && s.b[start] == '{' {
			ok = s.object(next)
		} else {
			ok = s.value()
		}
		if !ok {
			return false
		}
		s.spans[f] = Span{start, s.i}
		s.i = skipSpace(s.b, s.i)
		if s.i >= len(s.b) || s.b[s.i] != ',' {
			break
		}
		s.i = skipSpace(s.b, s.i+1)
	}
	if s.i >= len(s.b) || s.b[s.i] != '}' {
		return s.expected("expected ',' or '}'", s.i)
	}
	s.i++
	s.depth--
	s.keys.close()
	return true
}

// key scans a key at s.i up to the beginning of its value, refuses it if the object has it already, and returns it
// unescaped. The slice is valid until the next call.
func (s *scanner) key() ([]byte, bool) {
	b, start := s.b, s.i
	if start >= len(b) || b[start] != '"' {
		return nil, s.expected("expected a key", start)
	}
	var next int
	var escaped bool
	var reason string
	if s.lax {
		next, escaped, reason = skimString(b, start+1)
	} else {
		next, escaped, reason = scanString(b, start+1)
	}
	if reason != "" {
		return nil, s.fail(codeParse, reason, next)
	}
	key, reason := s.keys.add(b, start+1, next-1, escaped)
	if reason == reasonDuplicate {
		return nil, s.fail(codeInvalid, reason, start)
	} else if reason != "" {
		return nil, s.fail(codeParse, reason, start)
	}
	i := skipSpace(b, next)
	if i >= len(b) || b[i] != ':' {
		return nil, s.expected("expected ':'", i)
	}
	s.i = skipSpace(b, i+1)
	return key, true
}

// value scans the value at s.i without remembering anything of it.
func (s *scanner) value() bool {
	if s.lax {
		return s.skim()
	}
	floor := s.depth
	for {
		opened, ok := s.open()
		if !ok {
			return false
		}
		if opened {
			continue
		}
		if more, ok := s.unwind(floor); !ok || !more {
			return ok
		}
	}
}

// open consumes a scalar, an empty container, or the beginning of a container up to its first value (opened).
func (s *scanner) open() (opened, ok bool) {
	b, i := s.b, s.i
	if i >= len(b) {
		return false, s.expected("", i)
	}
	switch b[i] {
	case '"':
		next, _, reason := scanString(b, i+1)
		if reason != "" {
			return false, s.fail(codeParse, reason, next)
		}
		s.i = next
		return false, true
	case '{':
		if !s.push(true, i) {
			return false, false
		}
		s.i = skipSpace(b, i+1)
		if s.i < len(b) && b[s.i] == '}' {
			s.i++
			s.depth--
			return false, true
		}
		s.keys.open()
		_, ok = s.key()
		return true, ok
	case '[':
		if !s.push(false, i) {
			return false, false
		}
		s.i = skipSpace(b, i+1)
		if s.i < len(b) && b[s.i] == ']' {
			s.i++
			s.depth--
			return false, true
		}
		return true, true
	}
	next, reason := scanScalar(b, i)
	if reason != "" {
		return false, s.expected(reason, next)
	}
	s.i = next
	return false, true
}

// unwind closes containers after a value until another value follows (more) or the depth is floor again.
func (s *scanner) unwind(floor int) (more, ok bool) {
	b := s.b
	for s.depth > floor {
		i := skipSpace(b, s.i)
		if i >= len(b) {
			return false, s.expected("", i)
		}
		object := s.inObject()
		switch c := b[i]; {
		case c == ',':
			s.i = skipSpace(b, i+1)
			if object {
				_, ok = s.key()
				return true, ok
			}
			return true, true
		case c == '}' && object:
			s.keys.close()
		case c == ']' && !object:
		case object:
			return false, s.expected("expected ',' or '}'", i)
		default:
			return false, s.expected("expected ',' or ']'", i)
		}
		s.depth--
		s.i = i + 1
	}
	return false, true
}
