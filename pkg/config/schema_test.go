package config

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/tailscale/hujson"
)

func compileSchema(t *testing.T) (*jsonschema.Schema, map[string]any) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled, doc.(map[string]any)
}

func TestSchemaAcceptsWhatTheLoaderAccepts(t *testing.T) {
	compiled, _ := compileSchema(t)
	names, _ := filepath.Glob("testdata/good/*.json")
	names = append(names, "../../mcp.json.example")
	if len(names) < 4 {
		t.Fatalf("found only %v", names)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		strict, err := hujson.Standardize(text)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(strict))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, report, err := Load(name, EnvFrom([]string{"B=2"})); err != nil || report.HasErrors() {
			t.Errorf("%s: %v %v", name, report, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	compiled, _ := compileSchema(t)
	for rule, text := range map[string]string{
		"an unknown key of the file":      `{"mcpServer": {}}`,
		"an unknown key of a server":      `{"mcpServers": {"a": {"command": "x", "arg": []}}}`,
		"an unknown type":                 `{"mcpServers": {"a": {"type": "local", "command": "x"}}}`,
		"neither command nor url":         `{"mcpServers": {"a": {"tags": []}}}`,
		"command as an array":             `{"mcpServers": {"a": {"command": ["x"]}}}`,
		"zero as a timeout":               `{"mcpServers": {"a": {"command": "x", "timeout": 0}}}`,
		"a prefix with a dot":             `{"mcpServers": {"a": {"command": "x", "prefix": "a.b"}}}`,
		"a key that defaults do not know": `{"serverDefaults": {"tags": []}, "mcpServers": {}}`,
	} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		if compiled.Validate(doc) == nil {
			t.Errorf("the schema accepts %s: %s", rule, text)
		}
	}
}

// TestSchemaAndLoaderKnowTheSameKeys keeps the two lists of keys equal.
func TestSchemaAndLoaderKnowTheSameKeys(t *testing.T) {
	_, doc := compileSchema(t)
	defs := doc["$defs"].(map[string]any)
	for _, tt := range []struct {
		section string
		object  any
		known   []string
	}{
		{"the file", doc, slices.Sorted(maps.Keys(sections))},
		{"a server", defs["server"], slices.Sorted(maps.Keys(serverKeys))},
		{"serverDefaults", defs["serverDefaults"], slices.Sorted(slices.Values(defaultKeys))},
		{"oauth", defs["oauth"], slices.Sorted(maps.Keys(oauthKeys))},
	} {
		properties := tt.object.(map[string]any)["properties"].(map[string]any)
		if diff := cmp.Diff(tt.known, slices.Sorted(maps.Keys(properties))); diff != "" {
			t.Errorf("%s (-loader +schema):\n%s", tt.section, diff)
		}
	}
	for _, word := range defs["server"].(map[string]any)["properties"].(map[string]any)["type"].(map[string]any)["enum"].([]any) {
		if _, ok := typeWords[word.(string)]; !ok {
			t.Errorf("type %q is in the schema only", word)
		}
	}
}

// TestExampleHasNoProblems also holds that each key of mcp.json.example does something.
func TestExampleHasNoProblems(t *testing.T) {
	file, report, err := Load("../../mcp.json.example", EnvFrom([]string{"HOME=/home/me"}))
	if err != nil || len(report) > 0 {
		t.Fatalf("problems %v, error %v", report, err)
	}
	if enabled := file.Enabled(); len(enabled) != 1 || enabled[0].Name != "example" || enabled[0].Command != "go" {
		t.Errorf("only the server that needs nothing but Go is enabled, got %v", enabled)
	}
	if len(file.Servers) != 5 {
		t.Errorf("got %d servers, want 5", len(file.Servers))
	}
}
