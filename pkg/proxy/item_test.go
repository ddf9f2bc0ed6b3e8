package proxy

import (
	"strings"
	"testing"
)

func TestCheckItem(t *testing.T) {
	const schema = `"inputSchema":{"type":"object"}`
	tests := []struct {
		rule string
		kind kind
		raw  string
		want string // the item as served; empty: refused
		note string // part of the note or of the reason
	}{
		{"a good tool passes byte for byte, with what nobody knows", tools, `{ "name":"a", "x":{"y":1e400}, ` + schema + `}`, `{ "name":"a", "x":{"y":1e400}, ` + schema + `}`, ""},
		{"white space around an item does not matter", tools, " {\"name\":\"a\"," + schema + "}\n", `{"name":"a",` + schema + `}`, ""},
		{"not JSON", tools, `{"name":"a",`, "", "not valid JSON"},
		{"not UTF-8", tools, "{\"name\":\"a\xff\"," + schema + "}", "", "not valid JSON"},
		{"not an object", tools, `["a"]`, "", "not an object"},
		{"null", tools, `null`, "", "not an object"},
		{"too large", tools, `{"name":"a",` + schema + `,"description":"` + strings.Repeat("x", maxItem) + `"}`, "", "more than"},
		{"no name", tools, `{` + schema + `}`, "", `has no "name"`},
		{"empty name", tools, `{"name":"",` + schema + `}`, "", `empty "name"`},
		{"name of the wrong type", tools, `{"name":1,` + schema + `}`, "", `"name" of the wrong type`},
		{"name twice", tools, `{"name":"a","name":"b",` + schema + `}`, "", `has "name" twice`},
		{"name twice, once escaped", tools, `{"name":"a","\u006eame":"b",` + schema + `}`, "", `has "name" twice`},
		{"description of the wrong type", tools, `{"name":"a","description":null,` + schema + `}`, "", `"description" of the wrong type`},
		{"annotations of the wrong type", tools, `{"name":"a","annotations":[],` + schema + `}`, "", `"annotations" of the wrong type`},
		{"icons of the wrong type", tools, `{"name":"a","icons":{},` + schema + `}`, "", `"icons" of the wrong type`},
		{"_meta of the wrong type", tools, `{"name":"a","_meta":"x",` + schema + `}`, "", `"_meta" of the wrong type`},
		{"unknown members of any type pass", tools, `{"name":"a","zzz":null,` + schema + `}`, `{"name":"a","zzz":null,` + schema + `}`, ""},
		{"no inputSchema", tools, `{"name":"a"}`, "", "no inputSchema"},
		{"inputSchema is no object", tools, `{"name":"a","inputSchema":true}`, "", `"inputSchema" of the wrong type`},
		{"inputSchema of another type", tools, `{"name":"a","inputSchema":{"type":"array"}}`, "", "inputSchema whose type"},
		{"inputSchema without a type is mended", tools, `{"name":"a","inputSchema":{"properties":{}}}`, `{"name":"a","inputSchema":{"type":"object","properties":{}}}`, ""},
		{"an empty inputSchema is mended", tools, `{"name":"a","inputSchema":{}}`, `{"name":"a","inputSchema":{"type":"object"}}`, ""},
		{"an outputSchema that is an object schema stays", tools, `{"name":"a",` + schema + `,"outputSchema":{"type":"object"}}`, `{"name":"a",` + schema + `,"outputSchema":{"type":"object"}}`, ""},
		{"any other outputSchema is taken out and reported", tools, `{"name":"a","outputSchema":{"type":"array"},` + schema + `}`, `{"name":"a",` + schema + `}`, "served without it"},
		{"both schemas mended, output first", tools, `{"outputSchema":{"$ref":"#"},"name":"a","inputSchema":{}}`, `{"name":"a","inputSchema":{"type":"object"}}`, "served without it"},
		{"both schemas mended, output last", tools, `{"name":"a","inputSchema":{},"outputSchema":{}}`, `{"name":"a","inputSchema":{"type":"object"}}`, "served without it"},
		{"outputSchema is no object", tools, `{"name":"a",` + schema + `,"outputSchema":[]}`, "", `"outputSchema" of the wrong type`},
		{"a prompt needs only a name", prompts, `{"name":"p"}`, `{"name":"p"}`, ""},
		{"arguments of a prompt are an array", prompts, `{"name":"p","arguments":{}}`, "", `"arguments" of the wrong type`},
		{"a resource needs a uri", resources, `{"name":"r"}`, "", `has no "uri"`},
		{"mimeType is a string", resources, `{"uri":"a:b","mimeType":1}`, "", `"mimeType" of the wrong type`},
		{"a resource passes", resources, `{"uri":"a:b","size":18446744073709551615}`, `{"uri":"a:b","size":18446744073709551615}`, ""},
		{"a template needs a uriTemplate", templates, `{"uri":"a:{b}"}`, "", `has no "uriTemplate"`},
		{"a template passes", templates, `{"uriTemplate":"a:{b}"}`, `{"uriTemplate":"a:{b}"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			item, name, note, err := shapes[tt.kind].check([]byte(tt.raw))
			if err != nil {
				note = err.Error()
				item = nil
			} else if name == "" {
				t.Error("an item without a name was accepted")
			}
			if string(item) != tt.want || !strings.Contains(note, tt.note) || tt.note == "" && note != "" {
				t.Errorf("got %s (%s), want %s (%s)", item, note, tt.want, tt.note)
			}
		})
	}
}

// A report that says which item is bad is worth more than its number.
func TestCheckNamesABadItem(t *testing.T) {
	_, name, _, err := shapes[tools].check([]byte(`{"description":1,"name":"bad"}`))
	if name != "bad" || err == nil {
		t.Errorf("got %q, %v", name, err)
	}
}
