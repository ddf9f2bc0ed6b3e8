package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitBatch(t *testing.T) {
	raw := []byte(" [ {\"a\":[1]} ,{}, 3\n] ")
	if !Batch(raw) || Batch([]byte(" {}")) || Batch(nil) {
		t.Error("Batch looks at more than the first byte")
	}
	spans, err := SplitBatch(raw, 3)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range spans {
		got = append(got, string(s.Of(raw)))
	}
	if diff := cmp.Diff([]string{`{"a":[1]}`, `{}`, `3`}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSplitBatchAllowsEachElementItsFullDepth(t *testing.T) {
	element := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	if _, err := SplitBatch([]byte("["+element+"]"), 1); err != nil {
		t.Error(err)
	}
	if _, err := SplitBatch([]byte("[["+element+"]]"), 1); err == nil {
		t.Error("an element of 513 levels is accepted")
	}
}

func TestSplitBatchRefuses(t *testing.T) {
	for _, test := range []struct {
		rule, raw string
		code      int
		reason    string
	}{
		{"nothing", ``, codeInvalid, "not a batch"},
		{"an object", `{}`, codeInvalid, "not a batch"},
		{"an empty batch", `[ ]`, codeInvalid, "empty batch"},
		{"one element too many", `[1,2,3,4]`, codeInvalid, "too many messages in a batch"},
		{"trailing bytes", `[1] 2`, codeParse, "trailing bytes after the batch"},
		{"a missing bracket", `[1,2`, codeParse, reasonUnended},
		{"a missing element", `[1,]`, codeParse, "expected a value"},
		{"a missing comma", `[1 2]`, codeParse, "expected ',' or ']'"},
		{"a byte order mark", "\xef\xbb\xbf[1]", codeParse, "byte order mark before the message"},
		{"a duplicate in an element", `[{"a":1,"a":2}]`, codeInvalid, reasonDuplicate},
		{"F14: 20,001 calls", `[` + strings.Repeat("1,", 20_000) + `1]`, codeInvalid, "too many messages in a batch"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			_, err := SplitBatch([]byte(test.raw), 3)
			var refused *SyntaxError
			if !errors.As(err, &refused) || refused.Code != test.code || refused.Reason != test.reason {
				t.Errorf("got %v, want %d %q", err, test.code, test.reason)
			}
		})
	}
}
