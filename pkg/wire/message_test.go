package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1)
	params := func(s string) string { return `{"jsonrpc":"2.0","id":1,"method":"m","params":` + s + `}` }
	for _, test := range []struct {
		rule, raw string
		code      int
		reason    string
	}{
		{"an empty text is no message", "", codeParse, "empty message"},
		{"white space is no message", " \r\n\t", codeParse, "empty message"},
		{"a byte order mark is refused", "\xef\xbb\xbf" + params(`{}`), codeParse, "byte order mark before the message"},
		{"trailing bytes are refused", params(`{}`) + `{"evil":1}`, codeParse, "trailing bytes after the message"},
		{"a NUL at the end is a trailing byte", params(`{}`) + "\x00", codeParse, "trailing bytes after the message"},
		{"a batch is no message", `[` + params(`{}`) + `]`, codeInvalid, "a message must be an object"},
		{"a scalar is no message", `"hello"`, codeInvalid, "a message must be an object"},
		{"a broken batch is no JSON", `[{]`, codeParse, "expected a key"},
		{"the text must be complete", `{"jsonrpc":"2.0"`, codeParse, reasonUnended},
		{"a comma must be followed by a key", `{"jsonrpc":"2.0",}`, codeParse, "expected a key"},
		{"an array may not end in a comma", params(`[1,]`), codeParse, "expected a value"},
		{"a bracket must match", params(`{"a":[1}}`), codeParse, "expected ',' or ']'"},
		{"members need commas", params(`{"a":1 "b":2}`), codeParse, "expected ',' or '}'"},
		{"elements need commas", params(`[1 2]`), codeParse, "expected ',' or ']'"},
		{"a key needs a colon", params(`{"a" 1}`), codeParse, "expected ':'"},
		{"a key is a string", params(`{a:1}`), codeParse, "expected a key"},
		{"no leading zero", params(`[01]`), codeParse, "expected ',' or ']'"},
		{"no bare fraction", params(`[.5]`), codeParse, "expected a value"},
		{"digits after the point", params(`[1.]`), codeParse, reasonNumber},
		{"digits in the exponent", params(`[1e+]`), codeParse, reasonNumber},
		{"no plus sign", params(`[+1]`), codeParse, "expected a value"},
		{"no NaN", params(`[NaN]`), codeParse, "expected a value"},
		{"literals are lower case", params(`[nULL]`), codeParse, reasonLiteral},
		{"no control character in a string", params("[\"a\nb\"]"), codeParse, reasonControl},
		{"no NUL in a key", params("{\"name\x00\":1}"), codeParse, reasonControl},
		{"no unknown escape", params(`["\x"]`), codeParse, reasonEscape},
		{"four hex digits", params(`["\u12g4"]`), codeParse, reasonEscape},
		{"no single quotes", params(`['a']`), codeParse, "expected a value"},
		{"no invalid UTF-8 in a value", params("[\"\xff\"]"), codeParse, reasonUTF8},
		{"no overlong UTF-8", params("[\"\xc0\xaf\"]"), codeParse, reasonUTF8},
		{"no UTF-8 surrogate", params("[\"\xed\xa0\x80\"]"), codeParse, reasonUTF8},
		{"no invalid UTF-8 in a key", params("{\"\x80\":1}"), codeParse, reasonUTF8},
		{"no invalid UTF-8 between values", params("[1\xff]"), codeParse, "expected ',' or ']'"},
		{"513 levels are too deep", params(`[` + deep + `]`), codeParse, "nested too deep"},
		{"no lone high surrogate in a key", params(`{"\ud800":1}`), codeParse, reasonSurrogate},
		{"no lone low surrogate in a key", params(`{"\udc00\ud800":1}`), codeParse, reasonSurrogate},

		{"duplicate in the envelope", `{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}`, codeInvalid, reasonDuplicate},
		{"duplicate in params (S12)", params(`{"name":"ok","name":"secret"}`), codeInvalid, reasonDuplicate},
		{"another case in the envelope (S12)", `{"jsonrpc":"2.0","id":1,"Id":2,"method":"m"}`, codeInvalid, reasonCase},
		{"another case of the method", `{"jsonrpc":"2.0","id":1,"method":"foo/bar","METHOD":"tools/call"}`, codeInvalid, reasonCase},
		{"another case in params", params(`{"name":"ok","Name":"secret"}`), codeInvalid, reasonCase},
		{"another case, escaped", params(`{"name":"ok","\u004eame":"secret"}`), codeInvalid, reasonCase},
		{"a letter that folds", params(`{"argument\u017f":{}}`), codeInvalid, reasonCase},
		{"another case in _meta", params(`{"_meta":{"ProgressToken":1}}`), codeInvalid, reasonCase},
		{"duplicate after unescaping", params(`{"name":"ok","n\u0061me":"secret"}`), codeInvalid, reasonDuplicate},
		{"duplicate in both spellings escaped", params(`{"\u006eame":"ok","n\u0061me":"secret"}`), codeInvalid, reasonDuplicate},
		{"duplicate deep inside", params(`{"arguments":{"a":[{"x":1,"y":2,"x":3}]}}`), codeInvalid, reasonDuplicate},
		{"duplicate of the empty key", params(`{"":1,"":2}`), codeInvalid, reasonDuplicate},

		{"jsonrpc is needed", `{"id":1,"method":"m"}`, codeInvalid, `jsonrpc must be "2.0"`},
		{"jsonrpc is a string", `{"jsonrpc":2.0,"id":1,"method":"m"}`, codeInvalid, `jsonrpc must be "2.0"`},
		{"jsonrpc 1.0 is refused", `{"jsonrpc":"1.0","id":1,"method":"m"}`, codeInvalid, `jsonrpc must be "2.0"`},
		{"keys are case-sensitive", `{"JSONRPC":"2.0","id":1,"method":"m"}`, codeInvalid, reasonCase},
		{"keys do not fold", `{"j\u017fonrpc":"2.0","id":1,"method":"m"}`, codeInvalid, reasonCase},
		{"method is a string", `{"jsonrpc":"2.0","id":1,"method":null}`, codeInvalid, "method must be a string"},
		{"params are structured", params(`"x"`), codeInvalid, "params must be an object or an array"},
		{"params are not null", params(`null`), codeInvalid, "params must be an object or an array"},
		{"a request's id is not null", `{"jsonrpc":"2.0","id":null,"method":"m"}`, codeInvalid, "the id of a request must not be null"},
		{"an id is not true", `{"jsonrpc":"2.0","id":true,"method":"m"}`, codeInvalid, "id must be a string or a number"},
		{"an id is not an object", `{"jsonrpc":"2.0","id":{},"method":"m"}`, codeInvalid, "id must be a string or a number"},
		{"an id is not an array", `{"jsonrpc":"2.0","id":[1],"result":{}}`, codeInvalid, "id must be a string or a number"},
		{"something must be said", `{"jsonrpc":"2.0","id":1}`, codeInvalid, "neither a method nor a result nor an error"},
		{"not both result and error", `{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`, codeInvalid, "a response cannot have both result and error"},
		{"not both method and result", `{"jsonrpc":"2.0","id":1,"method":"m","result":{}}`, codeInvalid, "a message cannot be both a request and a response"},
		{"not both method and error", `{"jsonrpc":"2.0","method":"m","error":{}}`, codeInvalid, "a message cannot be both a request and a response"},
		{"a result needs an id", `{"jsonrpc":"2.0","result":{}}`, codeInvalid, "a result must have an id"},
		{"a result needs a real id", `{"jsonrpc":"2.0","id":null,"result":{}}`, codeInvalid, "a result must have an id"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			m, err := Parse([]byte(test.raw))
			var refused *SyntaxError
			if !errors.As(err, &refused) {
				t.Fatalf("accepted as %v, want %q", m.Kind, test.reason)
			}
			if refused.Code != test.code || refused.Reason != test.reason {
				t.Errorf("refused with %d %q, want %d %q", refused.Code, refused.Reason, test.code, test.reason)
			}
			if refused.Offset < 0 || refused.Offset > len(test.raw) {
				t.Errorf("offset %d outside of %d bytes", refused.Offset, len(test.raw))
			}
			if m.Kind != Invalid {
				t.Errorf("kind %v with an error", m.Kind)
			}
		})
	}
}

// texts is a Message with the text of its spans, for comparison.
func texts(m Message) map[string]string {
	found := map[string]string{"kind": m.Kind.String(), "name": m.MethodName()}
	for key, s := range map[string]Span{
		"ID": m.ID, "Method": m.Method, "Params": m.Params, "Result": m.Result, "Error": m.Error, "Name": m.Name, "URI": m.URI,
		"Cursor": m.Cursor, "Meta": m.Meta, "ProgressToken": m.ProgressToken, "RequestID": m.RequestID, "TaskID": m.TaskID,
		"ResultType": m.ResultType,
	} {
		if s.Present() {
			found[key] = string(s.Of(m.Raw))
		}
	}
	return found
}

func TestParseFinds(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1)
	for _, test := range []struct {
		rule, raw string
		want      map[string]string
	}{
		{
			"a tool call", ` {"jsonrpc":"2.0","id":"a\u0062","method":"tools/call","params":{"name":"x","_meta":{"k":1,"progressToken":7},"arguments":{"name":"no"}}} `,
			map[string]string{
				"kind": "request", "name": "tools/call", "ID": `"a\u0062"`, "Method": `"tools/call"`, "Name": `"x"`,
				"Params": `{"name":"x","_meta":{"k":1,"progressToken":7},"arguments":{"name":"no"}}`,
				"Meta":   `{"k":1,"progressToken":7}`, "ProgressToken": "7",
			},
		},
		{
			"progress has its token in params", `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","_meta":{"progressToken":"q"}}}`,
			map[string]string{
				"kind": "notification", "name": "notifications/progress", "Method": `"notifications/progress"`, "ProgressToken": `"p"`,
				"Params": `{"progressToken":"p","_meta":{"progressToken":"q"}}`, "Meta": `{"progressToken":"q"}`,
			},
		},
		{
			"other methods have it in _meta only", `{"jsonrpc":"2.0","id":1,"method":"x/y","params":{"progressToken":"p"}}`,
			map[string]string{"kind": "request", "name": "x/y", "ID": "1", "Method": `"x/y"`, "Params": `{"progressToken":"p"}`},
		},
		{
			"the other members of params", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1e3,"taskId":"t","cursor":"c","uri":"u:","_meta":null}}`,
			map[string]string{
				"kind": "notification", "name": "notifications/cancelled", "Method": `"notifications/cancelled"`,
				"RequestID": "1e3", "TaskID": `"t"`, "Cursor": `"c"`, "URI": `"u:"`, "Meta": "null",
				"Params": `{"requestId":1e3,"taskId":"t","cursor":"c","uri":"u:","_meta":null}`,
			},
		},
		{
			"a result of any type", "{\"result\" : {\"resultType\"\t:\"task\"}\n,\"id\":18446744073709551615,\"jsonrpc\":\"2\\u002e0\"}",
			map[string]string{
				"kind": "response", "name": "", "ID": "18446744073709551615", "Result": "{\"resultType\"\t:\"task\"}", "ResultType": `"task"`,
			},
		},
		{
			"a result need not be an object", `{"jsonrpc":"2.0","id":-0.5E-1,"result":null}`,
			map[string]string{"kind": "response", "name": "", "ID": "-0.5E-1", "Result": "null"},
		},
		{
			"an error may have the id null", `{"jsonrpc":"2.0","id":null,"error":{"code":1}}`,
			map[string]string{"kind": "response", "name": "", "ID": "null", "Error": `{"code":1}`},
		},
		{
			"an error may have no id", `{"jsonrpc":"2.0","error":{"resultType":1}}`,
			map[string]string{"kind": "response", "name": "", "Error": `{"resultType":1}`},
		},
		{
			"keys may be escaped, unknown members stay", `{"jsonrpc":"2.0","i\u0064":1,"method":"m\u002fn","params":["name"],"x-new":{"id":2}}`,
			map[string]string{"kind": "request", "name": "m/n", "ID": "1", "Method": `"m\u002fn"`, "Params": `["name"]`},
		},
		{
			"S12: other spellings do not match", `{"jsonrpc":"2.0","id":1,"method":"m","params":{"name\u0000":2,"n\u0430me":3,"uR\u0131":4}}`,
			map[string]string{
				"kind": "request", "name": "m", "ID": "1", "Method": `"m"`, "Params": `{"name\u0000":2,"n\u0430me":3,"uR\u0131":4}`,
			},
		},
		{
			"512 levels are allowed", `{"jsonrpc":"2.0","method":"m","params":` + deep + `}`,
			map[string]string{"kind": "notification", "name": "m", "Method": `"m"`, "Params": deep},
		},
		{
			"a pair of surrogates in a key, a lone one in a value", `{"jsonrpc":"2.0","method":"m","\ud83d\ude00":"\ud83d"}`,
			map[string]string{"kind": "notification", "name": "m", "Method": `"m"`},
		},
	} {
		t.Run(test.rule, func(t *testing.T) {
			for name, read := range map[string]func([]byte) (Message, error){"Parse": Parse, "Skim": Skim} {
				m, err := read([]byte(test.raw))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if diff := cmp.Diff(test.want, texts(m)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// TestParseSeesEveryByteOfAString puts a fault at each place relative to the words that the scanner looks at.
func TestParseSeesEveryByteOfAString(t *testing.T) {
	const front = `{"jsonrpc":"2.0","method":"m","params":["`
	for fault, reason := range map[string]string{
		"\xff": reasonUTF8, "\xc3": reasonUTF8, "\x00": reasonControl, "\x1f": reasonControl, `\!`: reasonEscape, `\u00g0`: reasonEscape,
		`"`: "expected ',' or ']'", "é": "", "\x7f": "", " ": "", "!": "", "#": "", "[": "", "]": "", `\u00e9`: "",
	} {
		for before := range 40 {
			for after := 1; after < 40; after++ {
				raw := front + strings.Repeat("x", before) + fault + strings.Repeat("y", after) + `","more text behind it"]}`
				_, err := Parse([]byte(raw))
				if reason == "" {
					if err != nil {
						t.Fatalf("%q: %v", raw, err)
					}
					continue
				}
				at := len(front) + before
				if fault == `"` {
					at++
				}
				want := SyntaxError{codeParse, reason, at}
				var got *SyntaxError
				if !errors.As(err, &got) || *got != want {
					t.Fatalf("%q: %v, want %v", raw, err, &want)
				}
			}
		}
	}
}

func TestParseKeepsTheIDForTheAnswer(t *testing.T) {
	for raw, want := range map[string]string{
		`{"jsonrpc":"2.0","id":"x","method":5}`:                      `"x"`,
		`{"id":7,"method":"m"}`:                                      "7",
		`{"jsonrpc":"2.0","id":true,"method":"m"}`:                   "",
		`{"jsonrpc":"2.0","id":1,"method":"m"`:                       "",
		`{"jsonrpc":"2.0","id":1,"id":1,"method":"m"}`:               "",
		`{"jsonrpc":"2.0","id":1,"method":"m","x":"` + "\x01" + `"}`: "",
	} {
		m, err := Parse([]byte(raw))
		if err == nil {
			t.Errorf("%s: accepted", raw)
		}
		if got := string(m.ID.Of(m.Raw)); got != want {
			t.Errorf("%s: id %s, want %s", raw, got, want)
		}
	}
}

func TestSkimRefuses(t *testing.T) {
	result := func(s string) string { return `{"jsonrpc":"2.0","id":1,"result":` + s + `}` }
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	for _, test := range []struct{ rule, raw, reason string }{
		{"duplicate in the envelope", `{"jsonrpc":"2.0","id":1,"\u0069d":2,"result":{}}`, reasonDuplicate},
		{"duplicate in the result", result(`{"a":1,"a":2}`), reasonDuplicate},
		{"duplicate in params._meta", `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"a":1,"a":2}}}`, reasonDuplicate},
		{"trailing bytes", result(`{}`) + `{}`, "trailing bytes after the message"},
		{"mismatched brackets", result(`{"a":[{]}}`), "mismatched bracket"},
		{"a string without end", result(`{"a":["\"]}`), reasonUnended},
		{"brackets without end", `{"jsonrpc":"2.0","id":1,"result":{"a":[`, reasonUnended},
		{"too deep", result(deep), "nested too deep"},
		{"no value", `{"jsonrpc":"2.0","id":1,"result":}`, "expected a value"},
		{"an id with a control character", "{\"jsonrpc\":\"2.0\",\"id\":\"\n\",\"result\":{}}", "id is not a valid string"},
		{"a method that is not UTF-8", "{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}", "method must be a string"},
		{"a bad escape in a key", result(`{"\x":1}`), reasonSurrogate},
	} {
		t.Run(test.rule, func(t *testing.T) {
			_, err := Skim([]byte(test.raw))
			var refused *SyntaxError
			if !errors.As(err, &refused) || refused.Reason != test.reason {
				t.Fatalf("got %v, want %q", err, test.reason)
			}
		})
	}
}

func TestSkimDoesNotLookInside(t *testing.T) {
	raw := "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"a\":1,\"a\":2} \"\xff\n\\x\" 01 ,, nul]}}"
	if _, err := Skim([]byte(raw)); err != nil {
		t.Errorf("Skim: %v", err)
	}
	if _, err := Parse([]byte(raw)); err == nil {
		t.Error("Parse accepted it too")
	}
}

func TestSmallMessagesDoNotAllocate(t *testing.T) {
	raw := samples[0].raw
	reply := []byte(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"h\u00e4llo \"x\""}],"isError":false}}`)
	call, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	var m Message
	spliced := make([]byte, 0, 1<<10)
	members := 0
	for name, run := range map[string]func(){
		"Parse a call":     func() { m, err = Parse(raw) },
		"Skim a call":      func() { m, err = Skim(raw) },
		"Parse a response": func() { m, err = Parse(reply) },
		"Skim a response":  func() { m, err = Skim(reply) },
		"look up a member": func() { _, _ = Lookup(raw, call.Params, "arguments") },
		"name a method":    func() { _ = call.MethodName() },
		"walk over members": func() {
			for range Members(raw, call.Params) {
				members++
			}
		},
		"splice": func() {
			spliced = AppendSplice(spliced[:0], raw, Edit{At: call.Name, With: newID}, Edit{At: call.ID, With: newID})
		},
	} {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if err != nil || m.Kind == Invalid || members == 0 {
		t.Errorf("not measured: %v", err)
	}
}

// TestTimeIsLinear reads messages of some MiB that take milliseconds, and would take from a quarter of a minute to hours
// if anything cost quadratic time.
func TestTimeIsLinear(t *testing.T) {
	const (
		size  = 4 << 20
		limit = 5 * time.Second
	)
	repeat := func(s string) string { return strings.Repeat(s, size/len(s)) }
	var keys, escapedKeys, siblings bytes.Buffer
	for i := range 300_000 {
		fmt.Fprintf(&keys, `"k%d":0,`, i)
		fmt.Fprintf(&escapedKeys, `"\u006b%d":0,`, i)
	}
	for range 50 {
		siblings.WriteString(`{`)
		for i := range 1000 {
			fmt.Fprintf(&siblings, `"k%d":0,`, i)
		}
		siblings.WriteString(`"z":0},`)
	}
	for name, result := range map[string]string{
		"keys":          `{` + keys.String() + `"z":0}`,
		"escaped keys":  `{` + escapedKeys.String() + `"z":0}`,
		"siblings":      `[` + siblings.String() + `0]`,
		"backslashes":   `"` + repeat(`\\`) + `"`,
		"quotes":        `"` + repeat(`\"`) + `"`,
		"mixed escapes": `"` + repeat(`\\\"\\\\\"`) + `"`,
		"long key":      `{"` + repeat(`x`) + `":0}`,
		"empty objects": `[` + repeat(`{},`) + `0]`,
		"white space":   `[` + repeat(" \n") + `]`,
	} {
		raw := []byte(`{"jsonrpc":"2.0","id":1,"result":` + result + `}`)
		start := time.Now()
		if _, err := Parse(raw); err != nil {
			t.Errorf("Parse %s: %v", name, err)
		}
		if _, err := Skim(raw); err != nil {
			t.Errorf("Skim %s: %v", name, err)
		}
		if took := time.Since(start); took > limit {
			t.Errorf("%s: %v for %d bytes", name, took, len(raw))
		}
	}
}

// TestDuplicatesInNestedObjects exercises the shared hash table: objects of many sizes inside one another.
func TestDuplicatesInNestedObjects(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var object func(b *bytes.Buffer, depth int)
	object = func(b *bytes.Buffer, depth int) {
		n := []int{0, 1, 3, linearKeys - 1, linearKeys, linearKeys + 1, 40, 150}[random.IntN(8)]
		b.WriteByte('{')
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			name := i
			if random.IntN(4000) == 0 {
				name = random.IntN(n) // often a duplicate
			}
			if random.IntN(10) == 0 {
				fmt.Fprintf(b, `"\u006b%d":`, name)
			} else {
				fmt.Fprintf(b, `"k%d":`, name)
			}
			if depth < 4 && random.IntN(12) == 0 {
				object(b, depth+1)
			} else {
				b.WriteByte('1')
			}
		}
		b.WriteByte('}')
	}
	verdicts := map[refVerdict]int{}
	for range 200 {
		var b bytes.Buffer
		b.WriteString(`{"jsonrpc":"2.0","method":"m","params":`)
		object(&b, 0)
		b.WriteByte('}')
		_, want := refMessage(b.Bytes())
		verdicts[want]++
		if _, err := Parse(b.Bytes()); (err == nil) != (want == refFine) {
			t.Fatalf("Parse says %v, the reference %v: %s", err, want, b.Bytes())
		}
		s := scanner{b: b.Bytes()}
		if s.message() && s.keys.many != nil && slices.Max(s.keys.many.slots) != 0 {
			t.Fatalf("the hash table is not empty after %s", b.Bytes())
		}
	}
	if verdicts[refFine] < 20 || verdicts[refBadMessage] < 20 {
		t.Errorf("lopsided sample: %v", verdicts)
	}
}

var messageSeeds = []string{
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"progressToken":"t"},"arguments":{"a":[1,2,{"b":null}]}}}`,
	`{"result":{"resultType":"complete","content":[]},"id":"é\ud83d\ude00","jsonrpc":"2.0"}`,
	`{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"\\\"\u0000"}}`,
	`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1.5e-3,"progress":0}}`,
	`{"jsonrpc":"2.0","method":"m","params":{"a":1,"\u0061":2}}`,
	`{"jsonrpc":"2.0","id":-0,"method":"m","params":[[[{}]],true,false,null]} `,
	`{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0,"j":0,"k":0,"l":0,"m":0,"n":0,"o":0,"p":0,"q":{"q":0},"r":0}}`,
	"\xef\xbb\xbf{}", "[1,]", `{"a":"` + "\xc3\x28" + `"}`, `{"\ud800":0}`, "",
}

func FuzzParse(f *testing.F) {
	for _, seed := range messageSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		m, err := Parse(raw)
		if !bytes.Equal(before, raw) {
			t.Fatal("Parse changed its input")
		}
		want, verdict := refMessage(raw)
		var refused *SyntaxError
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("not a SyntaxError: %v", err)
		}
		switch {
		case (err == nil) != (verdict == refFine):
			t.Fatalf("Parse says %v, the reference %v", err, verdict)
		case err != nil && verdict == refBadMessage && refused.Code != codeInvalid:
			t.Fatalf("Parse says %v, which is JSON", err)
		case err != nil:
			return
		}
		for key, s := range map[string]Span{"id": m.ID, "method": m.Method, "params": m.Params, "result": m.Result, "error": m.Error} {
			if got := string(s.Of(raw)); got != string(want[key]) {
				t.Errorf("%s is %q, want %q", key, got, want[key])
			}
		}
		if m.Params.Present() && raw[m.Params.Start] == '{' {
			var params map[string]json.RawMessage
			if err := json.Unmarshal(want["params"], &params); err != nil {
				t.Fatal(err)
			}
			for key, s := range map[string]Span{
				"name": m.Name, "uri": m.URI, "cursor": m.Cursor, "_meta": m.Meta, "requestId": m.RequestID, "taskId": m.TaskID,
			} {
				if got := string(s.Of(raw)); got != string(params[key]) {
					t.Errorf("params.%s is %q, want %q", key, got, params[key])
				}
			}
			if n := len(params); n != count(raw, m.Params) {
				t.Errorf("%d members of params, want %d", count(raw, m.Params), n)
			}
			for key, value := range params {
				if s, ok := Lookup(raw, m.Params, key); !ok || string(s.Of(raw)) != string(value) {
					t.Errorf("Lookup(%q) is %q, want %q", key, s.Of(raw), value)
				}
			}
		}
		skimmed, err := Skim(raw)
		if err != nil {
			t.Fatalf("Parse accepts it, Skim says %v", err)
		}
		if diff := cmp.Diff(m, skimmed); diff != "" {
			t.Errorf("Parse and Skim differ:\n%s", diff)
		}
	})
}

func count(raw []byte, obj Span) int {
	n := 0
	for range Members(raw, obj) {
		n++
	}
	return n
}

func FuzzSkim(f *testing.F) {
	for _, seed := range messageSeeds {
		f.Add([]byte(seed))
	}
	f.Add([]byte("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"a\":1,\"a\":2} \"\xff\n\\x\" 01 ,, nul]}}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Skim(raw)
		if err != nil {
			if _, err := Parse(raw); err == nil {
				t.Error("Parse accepts what Skim does not")
			}
			return
		}
		whole := Span{0, len(raw)}
		for _, s := range []Span{m.ID, m.Method, m.Params, m.Result, m.Error, m.Name, m.URI, m.Cursor, m.Meta, m.ProgressToken, m.RequestID, m.TaskID, m.ResultType, whole} {
			// None of these may leave the message, whatever is inside the value.
			for name, value := range Members(raw, s) {
				_, _ = name.Of(raw), value.Of(raw)
			}
			for value := range Elements(raw, s) {
				_ = value.Of(raw)
			}
		}
		_ = m.MethodName()
	})
}
