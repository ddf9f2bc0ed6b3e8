package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

var newID = []byte(`"new"`)

// relayPieces runs the machine over pieces, each with headroom as in RelayResponse.
func relayPieces(pieces ...[]byte) (string, error) {
	var out bytes.Buffer
	r := relay{dst: &out, id: newID, read: -int64(len(newID))}
	for _, piece := range pieces {
		if err := r.chunk(append(bytes.Repeat([]byte{'#'}, len(newID)), piece...), len(newID)); err != nil {
			return out.String(), err
		}
		r.read += int64(len(piece))
	}
	return out.String(), r.close()
}

// relayEverySplit checks that raw gives the same result whole, byte by byte, and cut in two or three anywhere.
func relayEverySplit(t *testing.T, raw []byte) (string, error) {
	t.Helper()
	want, wantErr := relayPieces(raw)
	check := func(how string, pieces ...[]byte) {
		t.Helper()
		got, err := relayPieces(pieces...)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%s: %v, in one piece: %v: %q", how, err, wantErr, raw)
		}
		if err == nil && got != want {
			t.Fatalf("%s: %q, in one piece: %q: %q", how, got, want, raw)
		}
	}
	for i := range raw {
		check("cut in two", raw[:i], raw[i:])
		check("three pieces", raw[:i/2], raw[i/2:i], raw[i:])
	}
	single := make([][]byte, len(raw))
	for i := range raw {
		single[i] = raw[i : i+1]
	}
	check("byte by byte", single...)
	return want, wantErr
}

func TestRelayReplacesTheID(t *testing.T) {
	for rule, row := range map[string][2]string{
		"first":           {`{"id":1,"jsonrpc":"2.0","result":{"id":2}}`, `{"id":"new","jsonrpc":"2.0","result":{"id":2}}`},
		"last":            {`{"jsonrpc":"2.0","result":{"a":"\"}","b":[[]]},"id":"x\"}" } `, `{"jsonrpc":"2.0","result":{"a":"\"}","b":[[]]},"id":"new" } `},
		"escaped key":     {` {"jsonrpc":"2.0","\u0069d" : -1.5e3 ,"error":{}}`, ` {"jsonrpc":"2.0","\u0069d" : "new" ,"error":{}}`},
		"longer than new": {`{"jsonrpc":"2.0","id":"0123456789","result":[]}`, `{"jsonrpc":"2.0","id":"new","result":[]}`},
		"null in error":   {`{"jsonrpc":"2.0","id":null,"error":{}}`, `{"jsonrpc":"2.0","id":"new","error":{}}`},
		"none in error":   {`{"jsonrpc":"2.0","error":{} }`, `{"jsonrpc":"2.0","error":{} ,"id":"new"}`},
		"scalar result":   {`{"jsonrpc":"\u0032.0","result":true,"id":1}`, `{"jsonrpc":"\u0032.0","result":true,"id":"new"}`},
		"unknown members": {`{"x":"id","jsonrpc":"2.0","id":1,"x":{"id":[{}]},"result":""}`, `{"x":"id","jsonrpc":"2.0","id":"new","x":{"id":[{}]},"result":""}`},
	} {
		t.Run(rule, func(t *testing.T) {
			got, err := relayEverySplit(t, []byte(row[0]))
			if err != nil || got != row[1] {
				t.Errorf("got %s, %v, want %s", got, err, row[1])
			}
		})
	}
}

func TestRelayRefuses(t *testing.T) {
	result := func(s string) string { return `{"jsonrpc":"2.0","id":1,"result":` + s + `}` }
	for _, test := range []struct{ rule, raw, reason string }{
		{"a second id", `{"id":1,"jsonrpc":"2.0","result":{},"i\u0064":2}`, reasonDuplicate},
		{"a second result", `{"id":1,"jsonrpc":"2.0","result":{},"result":2}`, reasonDuplicate},
		{"an object as id", `{"jsonrpc":"2.0","id":{},"result":{}}`, "id must be a string or a number"},
		{"a truth value as id", `{"jsonrpc":"2.0","id":true,"result":{}}`, "id must be a string or a number"},
		{"a malformed id", `{"jsonrpc":"2.0","id":01,"result":{}}`, "invalid value in the envelope"},
		{"an id that is no string", "{\"jsonrpc\":\"2.0\",\"id\":\"\n\",\"result\":{}}", "id is not a valid string"},
		{"an id over 1 KiB", `{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 1024) + `","result":{}}`, "value too long in the envelope"},
		{"a result without an id", `{"jsonrpc":"2.0","result":{}}`, "a result must have an id"},
		{"a result with the id null", `{"jsonrpc":"2.0","result":{},"id":null}`, "a result must have an id"},
		{"a request", `{"jsonrpc":"2.0","id":1,"method":"m"}`, "a response cannot have a method"},
		{"neither result nor error", `{"jsonrpc":"2.0","id":1}`, "a response must have either result or error"},
		{"both", `{"jsonrpc":"2.0","id":1,"error":{},"result":{}}`, "a response must have either result or error"},
		{"an empty object", `{}`, `jsonrpc must be "2.0"`},
		{"another version", `{"jsonrpc":"2.1","id":1,"result":{}}`, `jsonrpc must be "2.0"`},
		{"trailing bytes", result(`{}`) + `{}`, "trailing bytes after the message"},
		{"an array", `[` + result(`{}`) + `]`, "unexpected character in the envelope"},
		{"a comma too many", result(`{},`), "unexpected character in the envelope"},
		{"no value", result(``), "invalid value in the envelope"},
		{"mismatched brackets", result(`{"a":[}]`), "mismatched bracket"},
		{"513 levels", result(strings.Repeat("[", MaxDepth)), "nested too deep"},
		{"a bad literal", result(`nul`), "invalid value in the envelope"},
		{"a byte order mark", "\xef\xbb\xbf" + result(`{}`), "unexpected character in the envelope"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			_, err := relayPieces([]byte(test.raw))
			var refused *SyntaxError
			if !errors.As(err, &refused) || refused.Reason != test.reason {
				t.Fatalf("got %v, want %q", err, test.reason)
			}
			if refused.Offset < 0 || refused.Offset > len(test.raw) {
				t.Errorf("offset %d outside of %d bytes", refused.Offset, len(test.raw))
			}
		})
	}
}

func TestRelayReportsAnEarlyEnd(t *testing.T) {
	raw := `{"jsonrpc":"2.0","id":1,"result":{"a":"\"b"}}`
	for n := range len(raw) {
		_, err := RelayResponse(io.Discard, strings.NewReader(raw[:n]), newID, nil)
		if err != io.ErrUnexpectedEOF { //nolint:errorlint // promised as is
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
}

// writes records each write.
type writes struct {
	sizes []int
	all   bytes.Buffer
}

func (w *writes) Write(p []byte) (int, error) {
	w.sizes = append(w.sizes, len(p))
	return w.all.Write(p)
}

func TestRelayCopiesLargeResponsesInLargeWrites(t *testing.T) {
	for name, envelope := range map[string]string{
		"id first": `{"jsonrpc":"2.0","id":1,"result":{"text":"#"}}`,
		"id last":  `{"jsonrpc":"2.0","result":{"text":"#"},"id":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat(`a long text with \"escapes\" \\`, 10_000)
			raw := strings.Replace(envelope, "#", text, 1)
			want := strings.Replace(raw, `"id":1`, `"id":"new"`, 1)
			for how, src := range map[string]io.Reader{
				"whole":          strings.NewReader(raw),
				"byte by byte":   iotest.OneByteReader(strings.NewReader(raw)),
				"in halves":      iotest.HalfReader(strings.NewReader(raw)),
				"error with end": iotest.DataErrReader(strings.NewReader(raw)),
			} {
				var dst writes
				n, err := RelayResponse(&dst, src, newID, make([]byte, 0, 8<<10))
				if err != nil || dst.all.String() != want || n != int64(len(want)) {
					t.Fatalf("%s: %d of %d bytes, equal %v: %v", how, n, len(want), dst.all.String() == want, err)
				}
				if most := 2*len(want)/(8<<10) + 3; len(dst.sizes) > most {
					t.Errorf("%s: %d writes for %d bytes, want at most %d", how, len(dst.sizes), len(want), most)
				}
			}
		})
	}
}

func TestRelayOfASmallResponseIsOneWrite(t *testing.T) {
	var dst writes
	if _, err := RelayResponse(&dst, strings.NewReader(`{"jsonrpc":"2.0","id":1,"result":{}}`), newID, make([]byte, 1<<10)); err != nil {
		t.Fatal(err)
	}
	if len(dst.sizes) != 1 {
		t.Errorf("%d writes", len(dst.sizes))
	}
}

func TestRelayLineHasNoNewline(t *testing.T) {
	var dst bytes.Buffer
	raw := "{\r\n  \"jsonrpc\": \"2.0\",\n  \"id\": 1,\r  \"result\": {\n\"a\":\"\\n\"}\n}\n"
	if _, err := RelayLine(&dst, strings.NewReader(raw), newID, nil); err != nil {
		t.Fatal(err)
	}
	want := `{    "jsonrpc": "2.0",   "id": "new",   "result": { "a":"\n"} } `
	if dst.String() != want {
		t.Errorf("got %q, want %q", dst.String(), want)
	}
}

// full accepts room bytes.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) <= f.room {
		f.room -= len(p)
		return len(p), nil
	}
	return f.room, io.ErrClosedPipe
}

func TestRelayTellsSourceAndDestinationApart(t *testing.T) {
	raw := string(textResult(100 << 10))
	n, err := RelayResponse(&full{50 << 10}, strings.NewReader(raw), newID, nil)
	if !errors.Is(err, ErrWrite) || !errors.Is(err, io.ErrClosedPipe) || n != 50<<10 {
		t.Errorf("destination failed: %d bytes, %v", n, err)
	}
	broken := errors.New("broken")
	src := io.MultiReader(strings.NewReader(raw[:50<<10]), iotest.ErrReader(broken))
	n, err = RelayResponse(io.Discard, src, newID, nil)
	if !errors.Is(err, broken) || errors.Is(err, ErrWrite) || n < 50<<10 {
		t.Errorf("source failed: %d bytes, %v", n, err)
	}
	if _, err = RelayResponse(io.Discard, stuck{}, newID, nil); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("source stuck: %v", err)
	}
}

// stuck never returns anything.
type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func FuzzRelayResponse(f *testing.F) {
	for _, seed := range messageSeeds {
		f.Add([]byte(seed))
	}
	f.Add([]byte(`{"jsonrpc":"2.0","result":{"a":"\"}","b":[[]]},"i\u0064":"x\"}" } `))
	f.Add([]byte(`{"jsonrpc":"2.0","error":{} }`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 300 {
			return // every split is tried
		}
		got, err := relayEverySplit(t, raw)
		m, skimErr := Skim(raw)
		if skimErr == nil && m.Kind == Response {
			want := AppendSplice(nil, raw, Edit{At: m.ID, With: newID})
			if !m.ID.Present() {
				end := bytes.LastIndexByte(raw, '}')
				want = AppendSplice(nil, raw, Edit{At: Span{end, end}, With: []byte(`,"id":"new"`)})
			}
			if err != nil || got != string(want) {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
		if err == nil {
			if again, err := relayPieces([]byte(got)); err != nil || again != got {
				t.Errorf("%q is relayed as %q, %v", got, again, err)
			}
			if skimErr == nil && m.Kind != Response {
				t.Errorf("a %v is relayed", m.Kind)
			}
		}
	})
}
