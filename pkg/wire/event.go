package wire

import (
	"bytes"
	"io"
	"strconv"
	"time"
)

// Event is one server-sent event (WHATWG HTML §9.2).
type Event struct {
	Name  string        // the event field; "" means the default, "message"
	ID    string        // the id field, if HasID; an empty one resets the client's last event id
	HasID bool          // there is an id field
	Data  []byte        // lines joined by LF
	Retry time.Duration // reconnection time; negative if the event has none
}

// EventReader reads the server-sent events of a stream. It serves one goroutine.
type EventReader struct {
	in      window
	limit   int
	err     error
	started bool // the byte order mark has been dealt with
	skipLF  bool // the last line ended in CR: an LF directly after it belongs to the same line end

	// The event being read. Its data lines are moved together in the window's buffer as they come; they begin at in.lo,
	// and the text not looked at yet begins dataLen+gap bytes later.
	event   Event
	any     bool // the event has a data, id or retry field and so will be returned
	hasData bool
	dataLen int
	gap     int
}

// NewEventReader reads events whose data is at most maxEvent bytes from r.
func NewEventReader(r io.Reader, maxEvent int) *EventReader {
	return &EventReader{in: window{r: r}, limit: maxEvent, event: Event{Retry: -1}}
}

// Next returns the next event that has data, an id or a retry time: also one without data, by which a server primes
// resumption (MCP 2025-11-25, streamable HTTP). Comments and unknown fields are skipped. Data is valid until the next
// call. What stands after the last blank line is no event. Errors are final: io.EOF, ErrTooLarge, or the stream's own.
func (r *EventReader) Next() (Event, error) {
	r.reset()
	scanned := 0
	for r.err == nil {
		rest := r.rest()
		if skip := r.ignored(rest); skip > 0 {
			r.gap += skip
			scanned = 0
			continue
		}
		n := -1
		if r.started {
			n = lineEnd(rest, scanned)
		}
		if n < 0 {
			scanned = len(rest)
			if scanned > r.limit+maxField {
				r.err = ErrTooLarge
			} else if err := r.fill(); err != nil {
				r.err = err
			}
			continue
		}
		scanned = 0
		r.skipLF = rest[n] == '\r'
		r.gap += n + 1
		if n == 0 {
			if event, ok := r.dispatch(); ok {
				return event, nil
			}
			continue
		}
		r.line(rest[:n])
	}
	r.in.close()
	r.dataLen, r.gap = 0, 0
	return Event{}, r.err
}

// maxField bounds what a line has beyond its data: the longest field name, colon and space.
const maxField = len("retry: ")

// reset drops the event that Next returned last.
func (r *EventReader) reset() {
	r.in.lo += r.dataLen + r.gap
	r.dataLen, r.gap = 0, 0
	r.event, r.any, r.hasData = Event{Retry: -1}, false, false
}

// rest is what has been read and not looked at yet.
func (r *EventReader) rest() []byte {
	if r.dataLen == 0 { // nothing to keep: let the window forget what has been consumed
		r.in.lo += r.gap
		r.gap = 0
	}
	return r.in.buf[r.in.lo+r.dataLen+r.gap : r.in.hi]
}

// fill reads more. It first closes the gap, so that an event of many short lines or comments takes no more memory than
// its data; there is little behind the gap, as less than one line has been read without being consumed.
func (r *EventReader) fill() error {
	at := r.in.lo + r.dataLen
	r.in.hi = at + copy(r.in.buf[at:], r.in.buf[at+r.gap:r.in.hi])
	r.gap = 0
	return r.in.fill()
}

// ignored returns how many bytes at the start of rest belong to no line: a byte order mark, or the LF of a CR LF. While
// the stream may yet turn out to begin with a byte order mark, started stays false.
func (r *EventReader) ignored(rest []byte) int {
	switch {
	case r.skipLF && len(rest) > 0:
		r.skipLF = false
		if rest[0] == '\n' {
			return 1
		}
	case !r.started && (len(rest) >= len(bom) || !bytes.HasPrefix(bom, rest)):
		r.started = true
		if bytes.HasPrefix(rest, bom) {
			return len(bom)
		}
	}
	return 0
}

// lineEnd returns the index of the first CR or LF, of which there is none before from.
func lineEnd(b []byte, from int) int {
	n := bytes.IndexByte(b[from:], '\n')
	if n < 0 {
		n = len(b) - from
	}
	if cr := bytes.IndexByte(b[from:from+n], '\r'); cr >= 0 {
		return from + cr
	}
	if from+n == len(b) {
		return -1
	}
	return from + n
}

// line takes one line that is not blank into the event.
func (r *EventReader) line(line []byte) {
	name, value, _ := bytes.Cut(line, []byte{':'})
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	switch string(name) {
	case "data":
		r.data(value)
	case "event":
		r.event.Name = eventName(value)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			r.event.ID, r.event.HasID, r.any = string(value), true, true
		}
	case "retry":
		if ms, ok := milliseconds(value); ok {
			r.event.Retry, r.any = ms, true
		}
	}
}

// data appends a data line to those before it. There is always room: the line itself was longer than its value.
func (r *EventReader) data(value []byte) {
	size := r.dataLen + len(value)
	if r.hasData {
		size++
	}
	if size > r.limit {
		r.err = ErrTooLarge
		return
	}
	end := r.in.lo + r.dataLen + r.gap
	at := r.in.lo + r.dataLen
	if r.hasData {
		r.in.buf[at] = '\n'
		at++
	}
	copy(r.in.buf[at:], value)
	r.hasData, r.any = true, true
	r.dataLen = size
	r.gap = end - r.in.lo - size
}

// dispatch ends the event at a blank line.
func (r *EventReader) dispatch() (Event, bool) {
	event, ok := r.event, r.any
	if !ok {
		r.event = Event{Retry: -1} // a name alone makes no event
		return Event{}, false
	}
	event.Data = r.in.buf[r.in.lo : r.in.lo+r.dataLen : r.in.lo+r.dataLen]
	return event, true
}

// eventName returns the name without allocation for those MCP uses.
func eventName(value []byte) string {
	switch string(value) {
	case "message":
		return "message"
	case "endpoint":
		return "endpoint"
	}
	return string(value)
}

// milliseconds decodes a retry field: ASCII digits only. A time beyond a day counts as a day.
func milliseconds(value []byte) (time.Duration, bool) {
	const limit = 24 * time.Hour
	if len(value) == 0 {
		return 0, false
	}
	var d time.Duration
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		if d = d*10 + time.Duration(c-'0')*time.Millisecond; d > limit {
			d = limit
		}
	}
	return d, true
}

// AppendEvent appends an event in wire form with its final blank line. Data is split into lines at LF, CR LF and CR.
// CR, LF and NUL in Name and ID are left out, so that neither can end its line or hide the id. A Retry of zero, as in an
// Event made without one, is not written: it would have clients reconnect without pause. It is rounded up to whole
// milliseconds. An event of nothing but a retry time is written without data, so that no client takes it for a message.
func AppendEvent(dst []byte, e Event) []byte {
	if e.Name != "" {
		dst = append(dst, "event: "...)
		dst = appendField(dst, e.Name)
	}
	if e.HasID {
		dst = append(dst, "id: "...)
		dst = appendField(dst, e.ID)
	}
	if e.Retry > 0 {
		dst = append(dst, "retry: "...)
		dst = strconv.AppendInt(dst, int64((e.Retry+time.Millisecond-1)/time.Millisecond), 10)
		dst = append(dst, '\n')
		if e.Name == "" && !e.HasID && len(e.Data) == 0 {
			return append(dst, '\n')
		}
	}
	for data := e.Data; ; {
		dst = append(dst, "data: "...)
		n := lineEnd(data, 0)
		if n < 0 {
			dst = append(dst, data...)
			return append(dst, '\n', '\n')
		}
		dst = append(dst, data[:n]...)
		dst = append(dst, '\n')
		if data[n] == '\r' && n+1 < len(data) && data[n+1] == '\n' {
			n++
		}
		data = data[n+1:]
	}
}

// AppendComment appends text as a comment that every reader ignores, for instance to keep a connection alive.
func AppendComment(dst []byte, text string) []byte {
	dst = append(dst, ": "...)
	dst = appendField(dst, text)
	return append(dst, '\n')
}

// appendField appends the rest of a line and its end.
func appendField(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c != '\r' && c != '\n' && c != 0 {
			dst = append(dst, c)
		}
	}
	return append(dst, '\n')
}
