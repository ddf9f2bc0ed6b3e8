package manifold_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/manifold-mcp/manifold/"

// arrows is the picture of docs/ARCHITECTURE.md: which of our packages may import which. A new arrow is added here
// knowingly, with its reason there.
var arrows = map[string][]string{
	"pkg/wire":             {},
	"pkg/filter":           {},
	"pkg/redact":           {},
	"pkg/config":           {},
	"pkg/state":            {},
	"pkg/protocol":         {"pkg/wire"},
	"pkg/health":           {"pkg/redact"},
	"pkg/server":           {},
	"pkg/upstream":         {"pkg/protocol", "pkg/wire", "pkg/config", "pkg/redact"},
	"pkg/proxy":            {"pkg/protocol", "pkg/wire", "pkg/filter"},
	"pkg/proxy/stream":     {"pkg/wire"},
	"pkg/proxy/streamable": {"pkg/protocol", "pkg/wire", "pkg/filter", "pkg/proxy", "pkg/proxy/stream"},
	"pkg/proxy/sse":        {"pkg/protocol", "pkg/wire", "pkg/filter", "pkg/proxy", "pkg/proxy/stream"},
	"pkg/proxy/stdio":      {"pkg/protocol", "pkg/wire", "pkg/filter", "pkg/proxy"},
	"internal/example":     {},
	"internal/testkit":     {"pkg/wire"},
}

// TestImportDirections reads the import lines itself: a test that asked the go command would pass from the test cache.
func TestImportDirections(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || !strings.HasPrefix(dir, "pkg/") && !strings.HasPrefix(dir, "internal/") {
			return nil
		}
		allowed, known := arrows[dir]
		if !known {
			t.Errorf("package %s is not in the picture: add it to docs/ARCHITECTURE.md and here", dir)
		}
		seen[dir] = true
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			if to, ours := strings.CutPrefix(name, module); ours && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s: that arrow is not in the picture", path, to)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir := range arrows {
		if !seen[dir] {
			t.Errorf("package %s is in the picture and not in the tree", dir)
		}
	}
}
