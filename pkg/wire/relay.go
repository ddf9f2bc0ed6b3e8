package wire

import (
	"errors"
	"fmt"
	"io"
)

// ErrWrite marks errors of RelayResponse that came from the destination: usually the client left.
var ErrWrite = errors.New("write response")

const (
	relayBuffer = 32 << 10 // used if the caller's buffer is too small
	relaySpace  = 512      // least space for data in the caller's buffer
	maxToken    = 1 << 10  // longest id, and longest scalar in the envelope
	maxRelayKey = 6 * len("jsonrpc")
	shortPrefix = 1 << 10 // up to so many bytes move to join the id in one write
)

// RelayResponse copies one JSON-RPC response of any size from src to dst and replaces its id, wherever it stands in the
// envelope, by id, which is raw JSON and must not share memory with buf. All other bytes pass unchanged. Only buf is used
// as memory, its capacity included; if that is under len(id) plus 512 bytes, a buffer of 32 KiB is allocated. Each write
// is about as large as half the buffer or more, except for the last.
//
// The response is held to the rules of Skim for the envelope, brackets, string ends, depth and trailing bytes, but
// duplicates are looked for only among the members that JSON-RPC names. An id over 1 KiB or one that is an array or
// object is an error. An error response without an id, which MCP allows, is given one. The old id is not compared with
// anything: src must be known to hold the answer to one request.
//
// It returns the number of bytes written. After an error bytes may have left already, so the caller must abort the
// connection: a *SyntaxError if the response is not acceptable, io.ErrUnexpectedEOF if src ends early, an error that
// wraps ErrWrite if dst failed, or the error of src.
func RelayResponse(dst io.Writer, src io.Reader, id []byte, buf []byte) (n int64, err error) {
	r := relay{dst: dst, id: id}
	err = r.run(src, buf)
	return r.written, err
}

// RelayLine is RelayResponse for a destination framed by lines: each CR and LF, which JSON has only as white space,
// becomes a space. The caller writes what stands before ("data: ") and after ("\n").
func RelayLine(dst io.Writer, src io.Reader, id []byte, buf []byte) (n int64, err error) {
	r := relay{dst: dst, id: id, flat: true}
	err = r.run(src, buf)
	return r.written, err
}

type relayState uint8

const (
	relayStart     relayState = iota // before '{'
	relayFirst                       // after '{': a key or '}'
	relayNext                        // after ',': a key
	relayKey                         // inside a key
	relayColon                       // after a key
	relayValue                       // after ':'
	relayComposite                   // inside a string, object or array
	relayScalar                      // inside a number or literal
	relayAfter                       // after a value: ',' or '}'
	relayEnd                         // after '}': white space only
)

// relay is the machine behind RelayResponse. Every state can be left and entered between any two bytes.
type relay struct {
	dst     io.Writer
	id      []byte
	flat    bool
	written int64
	read    int64 // bytes of src before the current chunk, less the headroom

	state relayState
	skip  skipper
	field field // whose value is being read
	seen  [fieldCount]bool
	null  bool // the id was null

	// token is a key or a captured value as far as it has been read.
	token   [maxToken]byte
	size    int
	capture bool // the value goes into token

	out   int // index in the chunk of the first byte not written yet
	idPos int // index in the chunk where the old id began; -1 if it did in an earlier one
}

func (r *relay) run(src io.Reader, buf []byte) error {
	buf = buf[:cap(buf)]
	head := len(r.id) // room to put the id in front of what follows it
	if len(buf) < head+relaySpace {
		buf = make([]byte, head+relayBuffer)
	}
	r.read = -int64(head)
	for {
		n, end, err := readHalf(src, buf[head:])
		if n > 0 {
			if err := r.chunk(buf[:head+n], head); err != nil {
				return err
			}
			r.read += int64(n)
		}
		if err != nil {
			return fmt.Errorf("read response: %w", err)
		}
		if end {
			return r.close()
		}
	}
}

// close ends the response where src ended.
func (r *relay) close() error {
	if r.state != relayEnd {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// readHalf reads until at least half of b is full or src ends.
func readHalf(src io.Reader, b []byte) (n int, end bool, err error) {
	for empty := 0; 2*n < len(b); {
		got, err := src.Read(b[n:])
		n += got
		switch {
		case err == io.EOF:
			return n, true, nil
		case err != nil:
			return n, false, err
		case got > 0:
			empty = 0
		case empty == maxEmpty:
			return n, false, io.ErrNoProgress
		default:
			empty++
		}
	}
	return n, false, nil
}

// chunk passes b[from:] on. b[:from] is headroom.
func (r *relay) chunk(b []byte, from int) error {
	r.out, r.idPos = from, -1
	for i := from; i < len(b); {
		next, err := r.step(b, i)
		if err != nil {
			return err
		}
		i = next
	}
	if !r.inID() {
		return r.write(b[r.out:])
	}
	if r.idPos >= 0 {
		return r.write(b[r.out:r.idPos])
	}
	return nil
}

// inID reports whether the machine is inside the old id, whose bytes are not written.
func (r *relay) inID() bool {
	return r.field == fieldID && (r.state == relayComposite || r.state == relayScalar)
}

// step consumes at least one byte at b[i] or changes the state, and returns the index after what it consumed.
func (r *relay) step(b []byte, i int) (int, error) {
	switch r.state {
	case relayKey:
		return r.key(b, i)
	case relayComposite:
		return r.composite(b, i)
	case relayScalar:
		return r.scalar(b, i)
	}
	i = skipSpace(b, i)
	if i == len(b) {
		return i, nil
	}
	c := b[i]
	switch {
	case r.state == relayValue:
		return r.value(b, i)
	case r.state == relayStart && c == '{':
		r.state = relayFirst
	case (r.state == relayFirst || r.state == relayNext) && c == '"':
		r.state, r.size = relayKey, 0
		r.skip.inString, r.skip.depth = true, 1
	case r.state == relayColon && c == ':':
		r.state = relayValue
	case r.state == relayAfter && c == ',':
		r.state = relayNext
	case (r.state == relayAfter || r.state == relayFirst) && c == '}':
		r.state = relayEnd
		return i + 1, r.end(b, i)
	case r.state == relayEnd:
		return i, r.fail(codeParse, "trailing bytes after the message", i)
	default:
		return i, r.fail(codeParse, "unexpected character in the envelope", i)
	}
	return i + 1, nil
}

func (r *relay) fail(code int, reason string, at int) error {
	return &SyntaxError{Code: code, Reason: reason, Offset: int(r.read) + at}
}

// key goes on inside a key. A key too long for the names of JSON-RPC, however escaped, is only passed.
func (r *relay) key(b []byte, i int) (int, error) {
	next, done, reason := r.skip.run(b, i, 1)
	if reason != "" {
		return next, r.fail(codeParse, reason, next)
	}
	r.size += copy(r.token[r.size:], b[i:next])
	if !done {
		return next, nil
	}
	r.state, r.field = relayColon, fieldNone
	text := r.token[:r.size-1]
	if r.size == len(r.token) || len(text) > maxRelayKey {
		return next, nil
	}
	var scratch [maxRelayKey]byte
	name, ok := appendUnescaped(scratch[:0], text)
	if !ok {
		return next, r.fail(codeParse, reasonSurrogate, next)
	}
	if r.field = levelEnvelope.find(name); r.field == fieldNone {
		return next, nil
	}
	if r.field == fieldMethod {
		return next, r.fail(codeInvalid, "a response cannot have a method", next)
	}
	if r.seen[r.field] {
		return next, r.fail(codeInvalid, reasonDuplicate, next)
	}
	r.seen[r.field] = true
	return next, nil
}

// value begins a value at b[i].
func (r *relay) value(b []byte, i int) (int, error) {
	r.size = 0
	r.capture = r.field == fieldID || r.field == fieldVersion
	if r.field == fieldID {
		r.idPos = i
	}
	switch b[i] {
	case '{', '[':
		if r.field == fieldID {
			return i, r.fail(codeInvalid, "id must be a string or a number", i)
		}
		r.state, r.capture = relayComposite, false
	case '"':
		r.state = relayComposite
	default:
		r.state, r.capture = relayScalar, true
	}
	return i, nil
}

// composite goes on inside a string, object or array.
func (r *relay) composite(b []byte, i int) (int, error) {
	next, done, reason := r.skip.run(b, i, 1)
	if reason != "" {
		return next, r.fail(codeParse, reason, next)
	}
	if r.capture && !r.take(b[i:next]) {
		return next, r.fail(codeInvalid, "value too long in the envelope", next)
	}
	if done {
		return next, r.finish(b, next)
	}
	return next, nil
}

// scalar goes on inside a number or literal, up to the byte that ends it.
func (r *relay) scalar(b []byte, i int) (int, error) {
	next := i
	for next < len(b) && !endsScalar(b[next]) {
		next++
	}
	if !r.take(b[i:next]) {
		return next, r.fail(codeInvalid, "value too long in the envelope", next)
	}
	if next < len(b) {
		return next, r.finish(b, next)
	}
	return next, nil
}

func endsScalar(c byte) bool {
	return c <= ' ' || c == ',' || c == '}' || c == ']' || c == '"' || c == '{' || c == '['
}

// take captures text and reports whether there was room.
func (r *relay) take(text []byte) bool {
	n := copy(r.token[r.size:], text)
	r.size += n
	return n == len(text)
}

// finish ends the value before b[end].
func (r *relay) finish(b []byte, end int) error {
	token := r.token[:r.size]
	if r.state == relayScalar {
		if next, reason := scanScalar(token, 0); reason != "" || next != len(token) {
			return r.fail(codeParse, "invalid value in the envelope", end)
		}
	}
	r.state = relayAfter
	switch r.field {
	case fieldVersion:
		if !equalString(token, "2.0") {
			return r.fail(codeInvalid, `jsonrpc must be "2.0"`, end)
		}
	case fieldID:
		if reason := checkID(token); reason != "" {
			return r.fail(codeInvalid, reason, end)
		}
		r.null = token[0] == 'n'
		return r.replace(b, end)
	}
	return nil
}

// replace puts the new id directly before b[end], where the old one ended, and moves what stood before the old one
// along, so that one write takes all.
func (r *relay) replace(b []byte, end int) error {
	at := end - len(r.id) // not negative: the headroom is as long as the id
	if r.idPos >= 0 {
		prefix := b[r.out:r.idPos]
		if len(prefix) <= shortPrefix {
			r.out = at - len(prefix)
			copy(b[r.out:], prefix)
		} else if err := r.write(prefix); err != nil {
			return err
		} else {
			r.out = at
		}
	} else {
		r.out = at
	}
	copy(b[at:end], r.id)
	return nil
}

// end checks the envelope as a whole at its closing bracket b[i].
func (r *relay) end(b []byte, i int) error {
	result, failure := r.seen[fieldResult], r.seen[fieldError]
	switch {
	case !r.seen[fieldVersion]:
		return r.fail(codeInvalid, `jsonrpc must be "2.0"`, i)
	case result == failure:
		return r.fail(codeInvalid, "a response must have either result or error", i)
	case result && (r.null || !r.seen[fieldID]):
		return r.fail(codeInvalid, "a result must have an id", i)
	case r.seen[fieldID]:
		return nil
	}
	if err := r.write(b[r.out:i]); err != nil {
		return err
	}
	r.out = i
	return r.write(append([]byte(`,"id":`), r.id...))
}

func (r *relay) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if r.flat {
		flatten(b)
	}
	n, err := r.dst.Write(b)
	r.written += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	return nil
}
