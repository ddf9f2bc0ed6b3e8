package testkit

import (
	"bufio"
	"bytes"
	"io"
	"strings"
)

// Event is one server-sent event, or one comment.
type Event struct {
	Name, ID string
	// Retry is the text of a retry field.
	Retry string
	Data  []byte
	// Comment tells that this is a comment line and no event.
	Comment bool
}

// Events reads server-sent events line by line, comments included. It is for streams of this project, which end lines
// with LF; what a foreign server may send besides is wire's to test.
type Events struct {
	r *bufio.Reader
}

// NewEvents reads events from r.
func NewEvents(r io.Reader) *Events { return &Events{r: bufio.NewReaderSize(r, 64<<10)} }

// Next gives the next event or comment. At the end of the stream an unfinished event is dropped, as WHATWG says.
func (e *Events) Next() (Event, error) {
	var ev Event
	begun := false
	for {
		line, err := e.r.ReadBytes('\n')
		if err != nil {
			return Event{}, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			if begun {
				return ev, nil
			}
			continue
		}
		if line[0] == ':' {
			if !begun {
				return Event{Comment: true, Data: bytes.Clone(line[1:])}, nil
			}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		begun = true
		switch string(field) {
		case "event":
			ev.Name = string(value)
		case "id":
			ev.ID = string(value)
		case "retry":
			ev.Retry = string(value)
		case "data":
			if ev.Data != nil {
				ev.Data = append(ev.Data, '\n')
			}
			ev.Data = append(ev.Data, value...)
		}
	}
}

// appendEvent writes an event; data may have several lines.
func appendEvent(dst []byte, name, id string, data []byte) []byte {
	if name != "" {
		dst = append(dst, "event: "+name+"\n"...)
	}
	if id != "" {
		dst = append(dst, "id: "+id+"\n"...)
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		dst = append(dst, "data: "...)
		dst = append(dst, line...)
		dst = append(dst, '\n')
	}
	return append(dst, '\n')
}
