package filter

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

func TestSelect(t *testing.T) {
	dev, err := ParseExpr("dev")
	if err != nil {
		t.Fatal(err)
	}
	presets := func(name string) (Expr, bool) { return dev, name == "dev" }
	for _, c := range []struct {
		rule, query, want, err string
		paged                  bool
	}{
		{rule: "no selector selects everything", query: "app=x"},
		{rule: "tags", query: "tags=a,b", want: "a,b"},
		{rule: "tag-filter", query: "tag-filter=a%2B!b", want: "!b+a"},
		{rule: "filter", query: "filter=a,b", want: "a,b"},
		{rule: "preset", query: "preset=dev", want: "dev"},
		{rule: "pagination", query: "pagination=true&tags=a", want: "a", paged: true},
		{rule: "pagination is off unless true", query: "pagination=1"},
		{rule: "two selectors", query: "tags=a&preset=dev", err: "tags and preset exclude each other: give one"},
		{rule: "two selectors, one of them empty", query: "tag-filter=&filter=a", err: "tag-filter is empty: leave it out to select everything"},
		{rule: "the same selector twice, as somebody appends to a fixed URL", query: "tags=a&tags=b", err: "tags is given 2 times: give it once"},
		{rule: "an empty selector does not select everything", query: "tags=", err: "tags is empty: leave it out to select everything"},
		{rule: "unknown preset", query: "preset=prod", err: `preset: unknown preset "prod"`},
		{rule: "preset names are exact", query: "preset=DEV", err: `preset: unknown preset "DEV"`},
		{rule: "an unencoded + is a space", query: "tag-filter=a+b", err: `tag-filter: at byte 2: expected an operator or the end, found "b" (in a URL, write + as %2B)`},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		e, opts, err := Select(query, presets)
		if text(err) != c.err || e.String() != c.want || opts.Pagination != c.paged {
			t.Errorf("%s: %q, %+v, %v; want %q, %v, %s", c.rule, e, opts, err, c.want, c.paged, c.err)
		}
	}
	if _, _, err := Select(url.Values{"preset": {"x"}}, nil); err == nil {
		t.Error("a preset where there are none: no error")
	}
}

func TestPresets(t *testing.T) {
	deep := strings.Repeat(`{"$not":`, 52) + `{"tag":"a"}` + strings.Repeat(`}`, 52)
	for _, c := range []struct {
		rule, query, strategy, want, err string
	}{
		{rule: "tag, without regard to case", query: `{"tag":"Web"}`, want: "web"},
		{rule: "$or", query: `{"$or":[{"tag":"a"},{"tag":"b"}]}`, strategy: "or", want: "a,b"},
		{rule: "$and with $not", query: `{"$and":[{"tag":"a"},{"$not":{"tag":"b"}}]}`, strategy: "advanced", want: "!b+a"},
		{rule: "$in", query: `{"$in":["b","a"]}`, want: "a,b"},
		{rule: "$in of a tag, as 1MCP documents it", query: `{"tag":{"$in":["b","a"]}}`, want: "a,b"},
		{rule: "negations cancel out", query: `{"$not":{"$not":{"tag":"a"}}}`, want: "a"},
		{rule: "of several keys none is ignored", query: `{"tag":"a","$not":{"tag":"b"}}`, want: "!b+a"},
		{rule: "tags need not be words", query: `{"tag":"c++ (old)"}`, want: `"c++ (old)"`},
		{rule: "no key", query: `{}`, err: "tagQuery: expected one of tag, $or, $and, $not, $in"},
		{rule: "unknown key", query: `{"$or":[{"tag":"a"},{"$nor":[]}]}`, err: `tagQuery.$or[1]: unknown key "$nor"; known are tag, $or, $and, $not, $in`},
		{rule: "empty $or", query: `{"$or":[]}`, err: "tagQuery.$or: expected at least one node"},
		{rule: "empty $in", query: `{"$in":[]}`, err: "tagQuery.$in: expected at least one tag"},
		{rule: "empty tag", query: `{"tag":" "}`, err: "tagQuery.tag: expected a tag, found an empty one"},
		{rule: "empty tag in $in", query: `{"$in":["a",""]}`, err: "tagQuery.$in[1]: expected a tag, found an empty one"},
		{rule: "tag with another operator", query: `{"tag":{"$ne":"a"}}`, err: `tagQuery.tag: expected a string or {"$in":[…]}`},
		{rule: "null", query: `null`, err: "tagQuery: expected one of tag, $or, $and, $not, $in"},
		{rule: "unknown strategy", query: `{"tag":"a"}`, strategy: "xor", err: `strategy: expected or, and, advanced, found "xor"`},
		{rule: "too deep", query: deep, err: "tagQuery" + strings.Repeat(".$not", 51) + ": more than 50 levels"},
	} {
		e, err := ParsePreset(json.RawMessage(c.query), c.strategy)
		if text(err) != c.err || e.String() != c.want {
			t.Errorf("%s: %q, %v; want %q, %s", c.rule, e, err, c.want, c.err)
		}
	}
	for _, broken := range []string{``, `[]`, `"a"`, `{"tag":1}`, `{"$or":{}}`, `{"$in":"a"}`, `{"tag":{"$in":1}}`, `{"$not":[]}`} {
		if e, err := ParsePreset(json.RawMessage(broken), "or"); err == nil {
			t.Errorf("%s is accepted as %q", broken, e)
		}
	}
}

// FuzzPreset holds that no query panics and that what is accepted can be written as an expression.
func FuzzPreset(f *testing.F) {
	f.Add([]byte(`{"$or":[{"tag":"a"},{"$not":{"$in":["b","not"]}}]}`))
	f.Add([]byte(`{"$and":[{"tag":{"$in":["x y"]}},{"$or":[{"tag":"\""}]}]}`))
	f.Fuzz(func(t *testing.T, query []byte) {
		e, err := ParsePreset(query, "advanced")
		if err != nil {
			return
		}
		if again, err := ParseExpr(e.String()); err != nil || again.String() != e.String() {
			t.Fatalf("%s is %q, which reads as %q, %v", query, e, again, err)
		}
	})
}
