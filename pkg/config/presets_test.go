package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadPresets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "presets.json")
	if presets, report, err := LoadPresets(path, Env{}); presets != nil || report != nil || err != nil {
		t.Errorf("a missing file is no presets: %v %v %v", presets, report, err)
	}
	text := `{"version": "1.0.0", "presets": {
		"dev": {"name": "dev", "description": "d", "strategy": "or", "tagQuery": {"$or": [{"tag": "a"}, {"tag": "b"},]}, "created": "x", "lastModified": "y"},
		"../x": {"tagQuery": {"tag": "a"}},
		"none": {"strategy": "xor", "name": "other"},
		"list": [],
		"dev": {"tagQuery": {"tag": "z"}}, // twice
	}, "extra": 1}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	presets, report, err := LoadPresets(path, Env{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Preset{{Name: "dev", Description: "d", Strategy: "or", Query: []byte(`{"$or":[{"tag":"a"},{"tag":"b"}]}`)}}
	if diff := cmp.Diff(want, presets); diff != "" {
		t.Errorf("presets (-want +got):\n%s", diff)
	}
	wantProblems := []string{
		`error presets["../x"]: is not a name of a preset; use 1 to 50 of A-Z a-z 0-9 _ -`,
		`error presets.none: has no tagQuery; write "tagQuery": {"tag": "…"}`,
		"warning presets.none.strategy: is not or, and, or advanced; it has no effect",
		"warning presets.none.name: is not the key of the preset; the key holds",
		"error presets.list: must be an object, not an array",
		"error presets.dev: a preset of this name is defined twice, first in line 2; keep one of them",
		"warning extra: is not a known key and has no effect",
	}
	if diff := cmp.Diff(wantProblems, problems(report)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	for rule, text := range map[string]string{"broken": "{", "not an object": "[]"} {
		if presets, report, err := ParsePresets([]byte(text)); len(presets) > 0 || err == nil && !report.HasErrors() {
			t.Errorf("%s: %v %v %v", rule, presets, report, err)
		}
	}
}
