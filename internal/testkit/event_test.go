package testkit

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	for rule, row := range map[string]struct {
		stream string
		want   []Event
	}{
		"one event":                 {"event: a\nid: 1\ndata: x\n\n", []Event{{Name: "a", ID: "1", Data: []byte("x")}}},
		"data of several lines":     {"data: x\ndata:  y\ndata:\n\n", []Event{{Data: []byte("x\n y\n")}}},
		"an id without data":        {"id: 1\nretry: 5\n\n", []Event{{ID: "1", Retry: "5"}}},
		"comments between events":   {": hi\n\ndata: x\n\n:\n\n", []Event{{Comment: true, Data: []byte(" hi")}, {Data: []byte("x")}, {Comment: true, Data: []byte{}}}},
		"a comment inside an event": {"id: 1\n: hi\ndata: x\n\n", []Event{{ID: "1", Data: []byte("x")}}},
		"line ends of DOS":          {"data: x\r\n\r\n", []Event{{Data: []byte("x")}}},
		"an event cut off":          {"data: x\n\ndata: y\n", []Event{{Data: []byte("x")}}},
	} {
		t.Run(rule, func(t *testing.T) {
			events := NewEvents(strings.NewReader(row.stream))
			var have []Event
			for {
				ev, err := events.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				have = append(have, ev)
			}
			if diff := cmp.Diff(row.want, have); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAppendEventIsReadBack(t *testing.T) {
	t.Parallel()
	want := Event{Name: "message", ID: "7", Data: []byte("{\n \"x\": 1\n}")}
	have, err := NewEvents(strings.NewReader(string(appendEvent(nil, want.Name, want.ID, want.Data)))).Next()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}
