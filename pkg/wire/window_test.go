package wire

import (
	"bytes"
	"io"
	"testing"
)

func TestStreamReadersWaitWithASmallBuffer(t *testing.T) {
	large := textResult(300 << 10)
	events := NewEventReader(bytes.NewReader(AppendEvent(AppendEvent(nil, Event{Data: large}), Event{Data: []byte("x")})), MaxMessage)
	lines := NewLineReader(bytes.NewReader(append(AppendLine(nil, large), "x\n"...)), MaxMessage)
	e, err := events.Next()
	line, lineErr := lines.Next()
	if err != nil || lineErr != nil || !bytes.Equal(e.Data, large) || !bytes.Equal(line, large) {
		t.Fatalf("%v, %v", err, lineErr)
	}
	for name, w := range map[string]*window{"events": &events.in, "lines": &lines.in} {
		w.lo = w.hi
		w.err = nil
		if err := w.fill(); err != io.EOF { //nolint:errorlint // promised as is
			t.Fatal(err)
		}
		if len(w.buf) != waiting || w.slab != nil {
			t.Errorf("%s: waits with %d bytes", name, len(w.buf))
		}
	}
}
