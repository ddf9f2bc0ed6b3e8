package wire

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAppendSplice(t *testing.T) {
	edit := func(start, end int, with string) Edit { return Edit{Span{start, end}, []byte(with)} }
	for _, test := range []struct {
		rule  string
		edits []Edit
		want  string
	}{
		{"no edits copy", nil, "0123456789"},
		{"replace in the middle", []Edit{edit(3, 5, "ab")}, "012ab56789"},
		{"replace at both ends", []Edit{edit(0, 1, "<"), edit(9, 10, ">")}, "<12345678>"},
		{"insert at both ends", []Edit{edit(0, 0, "<"), edit(10, 10, ">")}, "<0123456789>"},
		{"delete everything", []Edit{edit(0, 10, "")}, ""},
		{"neighbours do not overlap", []Edit{edit(2, 4, "a"), edit(4, 6, "b")}, "01ab6789"},
		{"order does not matter", []Edit{edit(8, 9, "c"), edit(1, 2, "a"), edit(5, 5, "b")}, "0a234b567c9"},
		{"insertions at one place keep their order", []Edit{edit(5, 5, "a"), edit(5, 5, "b"), edit(5, 6, "c")}, "01234abc6789"},
		{"the outer replacement wins", []Edit{edit(4, 5, "x"), edit(2, 8, "-")}, "01-89"},
		{"out of bounds has no effect", []Edit{edit(5, 11, "x"), edit(7, 6, "y"), edit(-1, 2, "z")}, "0123456789"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			if got := string(AppendSplice([]byte("dst:"), []byte("0123456789"), test.edits...)); got != "dst:"+test.want {
				t.Errorf("got %s, want dst:%s", got, test.want)
			}
		})
	}
}

func TestMembersAreSetAndDeleted(t *testing.T) {
	for _, test := range []struct{ rule, raw, set, deleted string }{
		{"into an empty object", `{}`, `{"k":1}`, `{}`},
		{"into an empty object with white space", `{ }`, `{"k":1 }`, `{ }`},
		{"before other members", `{"a":0}`, `{"k":1,"a":0}`, `{"a":0}`},
		{"in place of the value", `{"a":0,"k" : [2] }`, `{"a":0,"k" : 1 }`, `{"a":0 }`},
		{"the only one", `{ "k":{} }`, `{ "k":1 }`, `{  }`},
		{"the first", `{"k":0 , "a":0}`, `{"k":1 , "a":0}`, `{"a":0}`},
		{"in the middle", `{"a":0,"k":0,"b":0}`, `{"a":0,"k":1,"b":0}`, `{"a":0,"b":0}`},
		{"escaped", `{"\u006b":"x"}`, `{"\u006b":1}`, `{}`},
		{"not in what is no object", `[0]`, `[0]`, `[0]`},
		{"not in a string", `"{}"`, `"{}"`, `"{}"`},
	} {
		t.Run(test.rule, func(t *testing.T) {
			raw := []byte(test.raw)
			obj := Span{0, len(raw)}
			if got := string(AppendSplice(nil, raw, SetMember(raw, obj, "k", []byte("1")))); got != test.set {
				t.Errorf("set: got %s, want %s", got, test.set)
			}
			edits := SetMembers(nil, raw, obj, Member{"k", []byte("1")})
			if got := string(AppendSplice(nil, raw, edits...)); got != test.set {
				t.Errorf("set one of many: got %s, want %s", got, test.set)
			}
			edit, ok := DeleteMember(raw, obj, "k")
			if got := string(AppendSplice(nil, raw, edit)); got != test.deleted {
				t.Errorf("deleted (%v): got %s, want %s", ok, got, test.deleted)
			}
		})
	}
}

func TestSetMembersInsertsAllAtOnce(t *testing.T) {
	for raw, want := range map[string]string{
		`{}`:                  `{"a":1,"b":2,"c":3}`,
		`{"b":0}`:             `{"a":1,"c":3,"b":2}`,
		`{"x":0,"c":{}}`:      `{"a":1,"b":2,"x":0,"c":3}`,
		`{"c":0,"b":0,"a":9}`: `{"c":3,"b":2,"a":1}`,
	} {
		edits := SetMembers(nil, []byte(raw), Span{0, len(raw)},
			Member{"a", []byte("1")}, Member{"b", []byte("2")}, Member{"c", []byte("3")})
		if got := string(AppendSplice(nil, []byte(raw), edits...)); got != want {
			t.Errorf("%s became %s, want %s", raw, got, want)
		}
	}
}

func TestElements(t *testing.T) {
	raw := []byte(` [1, "a,]" ,{"b":[2]},[ ] , null] `)
	var got []string
	for s := range Elements(raw, Span{1, len(raw)}) {
		got = append(got, string(s.Of(raw)))
	}
	if diff := cmp.Diff([]string{"1", `"a,]"`, `{"b":[2]}`, "[ ]", "null"}, got); diff != "" {
		t.Error(diff)
	}
	for range Elements([]byte("[]"), Span{0, 2}) {
		t.Error("an empty array has an element")
	}
}

func FuzzMembers(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","method":"m","params":{"a":1, "k":{"x":[]} ,"b":2}}`), "k", []byte(`"v"`))
	f.Add([]byte(`{"jsonrpc":"2.0","method":"m","params":{ }}`), "k\"\n", []byte(`[1]`))
	f.Add([]byte(`{"jsonrpc":"2.0","method":"m","params":{"\u006b":0}}`), "k", []byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte, key string, value []byte) {
		m, err := Parse(raw)
		if err != nil || !json.Valid(value) || !m.Params.Present() || raw[m.Params.Start] != '{' {
			return
		}
		key = string(bytes.ToValidUTF8([]byte(key), []byte("\ufffd")))
		decode := func(raw []byte) map[string]any {
			var m struct{ Params map[string]any }
			if err := json.Unmarshal(raw, &m); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
			return m.Params
		}
		want := decode(raw)
		var decoded any
		if err := json.Unmarshal(value, &decoded); err != nil {
			return
		}
		want[key] = decoded
		set := AppendSplice(nil, raw, SetMember(raw, m.Params, key, value))
		if diff := cmp.Diff(want, decode(set)); diff != "" {
			t.Errorf("%s set to %s in %s:\n%s", key, value, raw, diff)
		}
		many := AppendSplice(nil, raw, SetMembers(nil, raw, m.Params, Member{key, value}, Member{key + "!", value})...)
		want[key+"!"] = decoded
		if diff := cmp.Diff(want, decode(many)); diff != "" {
			t.Errorf("%s and another set to %s in %s:\n%s", key, value, raw, diff)
		}
		m, err = Skim(set)
		if err != nil {
			t.Fatalf("%s: %v", set, err)
		}
		edit, ok := DeleteMember(set, m.Params, key)
		if !ok {
			t.Fatalf("%q is not in %s", key, set)
		}
		want = decode(raw)
		delete(want, key)
		if diff := cmp.Diff(want, decode(AppendSplice(nil, set, edit))); diff != "" {
			t.Errorf("%s deleted from %s:\n%s", key, set, diff)
		}
	})
}
