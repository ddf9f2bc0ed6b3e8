package wire

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// readEvents reads all events. Data is copied, since it is valid until the next call only.
func readEvents(r io.Reader, limit int) ([]Event, error) {
	var events []Event
	for reader := NewEventReader(r, limit); ; {
		e, err := reader.Next()
		if err != nil {
			if _, again := reader.Next(); again != err { //nolint:errorlint // the same error is promised
				return events, errors.New("the error does not stay")
			}
			return events, err
		}
		e.Data = append([]byte{}, e.Data...)
		events = append(events, e)
	}
}

var anyLineEnd = regexp.MustCompile("\r\n|\r|\n")

// refEvents is WHATWG HTML §9.2.6 word by word, but for events without data as Next documents.
func refEvents(stream string) []Event {
	stream = strings.TrimPrefix(stream, "\ufeff")
	lines := anyLineEnd.Split(stream, -1)
	var events []Event
	e, seen, data := Event{Retry: -1}, false, []string(nil)
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			if seen {
				e.Data = []byte(strings.Join(data, "\n"))
				events = append(events, e)
			}
			e, seen, data = Event{Retry: -1}, false, nil
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			e.Name = value
		case "data":
			data, seen = append(data, value), true
		case "id":
			if !strings.Contains(value, "\x00") {
				e.ID, e.HasID, seen = value, true, true
			}
		case "retry":
			if value != "" && strings.Trim(value, "0123456789") == "" {
				ms, err := strconv.Atoi(value)
				if err != nil || ms > 86_400_000 {
					ms = 86_400_000
				}
				e.Retry, seen = time.Duration(ms)*time.Millisecond, true
			}
		}
	}
	return events
}

func TestEventReader(t *testing.T) {
	data := func(s string) Event { return Event{Data: []byte(s), Retry: -1} }
	for _, test := range []struct {
		rule, stream string
		want         []Event
	}{
		{"LF ends lines", "data: a\ndata: b\n\ndata: c\n\n", []Event{data("a\nb"), data("c")}},
		{"CR LF ends lines", "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", []Event{data("a\nb"), data("c")}},
		{"CR ends lines", "data: a\rdata: b\r\rdata: c\r\r", []Event{data("a\nb"), data("c")}},
		{"a byte order mark is skipped once", "\ufeffdata: a\n\n\ufeffdata: b\n\n", []Event{data("a")}},
		{"one space after the colon is skipped", "data:a\ndata:  b\n\n", []Event{data("a\n b")}},
		{"comments and unknown fields are skipped", ": hi\nfoo: x\ndata: a\n:\ndatax: b\n\n", []Event{data("a")}},
		{"a field may have no colon", "data\ndata\n\n", []Event{data("\n")}},
		{"empty data is an event", "data:\n\n", []Event{data("")}},
		{"all fields", "event: endpoint\nid: 7\nretry: 1500\ndata: /x\n\n", []Event{{"endpoint", "7", true, []byte("/x"), 1500 * time.Millisecond}}},
		{"a priming event has an id and no data", "id: 7\n\nid\n\n", []Event{{ID: "7", HasID: true, Data: []byte{}, Retry: -1}, {HasID: true, Data: []byte{}, Retry: -1}}},
		{"an event may have a retry time only", "retry: 0\n\n", []Event{{Data: []byte{}}}},
		{"a name alone is no event, and is forgotten", "event: a\n\ndata: b\n\n", []Event{data("b")}},
		{"an id with NUL is ignored", "id: a\x00b\ndata: c\n\n", []Event{data("c")}},
		{"a retry time has digits only", "retry: 1s\nretry:\nretry: -1\ndata: a\n\n", []Event{data("a")}},
		{"a retry time has a limit", "retry: 99999999999999999999999\n\n", []Event{{Data: []byte{}, Retry: 24 * time.Hour}}},
		{"names are case-sensitive", "Data: a\n\n", nil},
		{"what the stream cuts off is no event", "data: a\n\ndata: b\n", []Event{data("a")}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			if diff := cmp.Diff(test.want, refEvents(test.stream)); diff != "" {
				t.Fatalf("the reference is wrong (-want +got):\n%s", diff)
			}
			eventsAtEverySplit(t, []byte(test.stream), test.want)
		})
	}
}

// eventsAtEverySplit reads the stream whole, cut in two anywhere, and byte by byte.
func eventsAtEverySplit(t *testing.T, stream []byte, want []Event) {
	t.Helper()
	check := func(how string, r io.Reader) {
		t.Helper()
		got, err := readEvents(r, 1<<20)
		if err != io.EOF { //nolint:errorlint // promised as is
			t.Fatalf("%s: %v", how, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", how, diff)
		}
	}
	check("whole", bytes.NewReader(stream))
	check("end with data", iotest.DataErrReader(bytes.NewReader(stream)))
	check("byte by byte", iotest.OneByteReader(bytes.NewReader(stream)))
	for i := range stream {
		check("cut at "+strconv.Itoa(i), io.MultiReader(bytes.NewReader(stream[:i]), bytes.NewReader(stream[i:])))
	}
}

func TestEventReaderLimits(t *testing.T) {
	const limit = 10_000
	long := strings.Repeat("x", limit)
	for _, test := range []struct {
		rule, stream string
		want         error
	}{
		{"data of exactly the limit passes", "data: " + long + "\r\n\r\n", io.EOF},
		{"one byte more does not", "data: " + long + "x\n\n", ErrTooLarge},
		{"without a space before it neither", "data:" + long + "xx\n\n", ErrTooLarge},
		{"lines count together", "data: " + long[:limit/2] + "\ndata: " + long[limit/2:] + "\n\n", ErrTooLarge},
		{"a line without end is given up", "data: " + long + long, ErrTooLarge},
		{"a comment without end is given up", ":" + long + long, ErrTooLarge},
		{"many comments pass", strings.Repeat(": "+long[:100]+"\n", 1000), io.EOF},
		{"comments inside an event pass", "data: a\n" + strings.Repeat(": "+long[:100]+"\n", 1000) + "\n", io.EOF},
	} {
		t.Run(test.rule, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(test.stream), iotest.HalfReader(strings.NewReader(test.stream))} {
				if _, err := readEvents(r, limit); !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			}
		})
	}
}

func TestEventReaderMemoryIsBoundByTheEventNotTheStream(t *testing.T) {
	stream := io.MultiReader(strings.NewReader("data: a\n"), strings.NewReader(strings.Repeat(": keep-alive\n", 100_000)), strings.NewReader("\n"))
	r := NewEventReader(stream, 1<<20)
	e, err := r.Next()
	if err != nil || string(e.Data) != "a" {
		t.Fatalf("%q, %v", e.Data, err)
	}
	if size := len(r.in.buf); size > 16<<10 {
		t.Errorf("the buffer grew to %d bytes", size)
	}
}

func TestAppendEvent(t *testing.T) {
	for _, test := range []struct {
		rule  string
		event Event
		want  string
	}{
		{"data alone", Event{Data: []byte("a")}, "data: a\n\n"},
		{"every kind of line end splits data", Event{Data: []byte("a\nb\r\nc\rd")}, "data: a\ndata: b\ndata: c\ndata: d\n\n"},
		{"a final line end is kept", Event{Data: []byte("a\n")}, "data: a\ndata: \n\n"},
		{"a leading space is kept", Event{Data: []byte(" a")}, "data:  a\n\n"},
		{"fields", Event{Name: "message", ID: "1", HasID: true, Retry: time.Second, Data: []byte("{}")}, "event: message\nid: 1\nretry: 1000\ndata: {}\n\n"},
		{"no field can break out", Event{Name: "a\ndata: evil", ID: "1\r\n\x00\r2", HasID: true, Data: []byte("x")}, "event: adata: evil\nid: 12\ndata: x\n\n"},
		{"a priming event", Event{ID: "1", HasID: true}, "id: 1\ndata: \n\n"},
		{"an id only if there is one", Event{ID: "1"}, "data: \n\n"},
		{"a retry time alone is no message", Event{Retry: 1500 * time.Microsecond}, "retry: 2\n\n"},
		{"no retry time", Event{Retry: -1, Data: []byte("x")}, "data: x\n\n"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			if got := string(AppendEvent([]byte("#"), test.event)); got != "#"+test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if got := string(AppendComment(nil, "a\nb\r")); got != ": ab\n\n" {
		t.Errorf("comment %q", got)
	}
}

func FuzzEventReader(f *testing.F) {
	f.Add([]byte("\ufeffevent: a\r\nid: 1\rdata: x\ndata\n: c\nretry: 10\n\n\r\ndata:y\r\n\r\nid:\n\n"))
	f.Add([]byte("data: a\n\r\ndata:\r\r\n\n"))
	f.Add([]byte("\xef\xbb"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) > 300 {
			return // every split is tried
		}
		eventsAtEverySplit(t, stream, refEvents(string(stream)))
	})
}

func FuzzEventRoundTrip(f *testing.F) {
	f.Add("message", "1", true, []byte("{\"a\":\r\n1}"), int64(1000))
	f.Add("", "", true, []byte(nil), int64(-1))
	f.Add("a\nb", "\x00", true, []byte(" \r\r\n\n"), int64(0))
	f.Fuzz(func(t *testing.T, name, id string, hasID bool, data []byte, retry int64) {
		retry = min(retry, 86_400_000)
		e := Event{Name: name, ID: id, HasID: hasID, Data: data, Retry: -1}
		if retry > 0 {
			e.Retry = time.Duration(retry) * time.Millisecond
		}
		got, err := readEvents(bytes.NewReader(AppendComment(AppendEvent(nil, e), name)), 1<<20)
		if err != io.EOF || len(got) != 1 { //nolint:errorlint // promised as is
			t.Fatalf("%d events, %v", len(got), err)
		}
		clean := strings.NewReplacer("\r", "", "\n", "", "\x00", "")
		e.Name, e.ID = clean.Replace(name), clean.Replace(id)
		if !hasID {
			e.ID = ""
		}
		e.Data = append([]byte{}, anyLineEnd.ReplaceAll(data, []byte("\n"))...)
		if diff := cmp.Diff([]Event{e}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
