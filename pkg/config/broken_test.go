package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the code says now into the golden files")

// TestBrokenFiles holds, for each rule, one file that breaks it and the exact messages. A txtar has mcp.json, the files
// beside it, "env" (the environment of the process) and "want".
func TestBrokenFiles(t *testing.T) {
	names, err := filepath.Glob("testdata/broken/*.txtar")
	if err != nil || len(names) < 50 {
		t.Fatalf("found %d broken files: %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var want string
			var environ []string
			dir, kept := t.TempDir(), archive.Files[:0]
			for _, f := range archive.Files {
				switch f.Name {
				case "want":
					want = string(f.Data)
					continue
				case "env":
					environ = strings.Fields(string(f.Data))
				default:
					if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				kept = append(kept, f)
			}
			got := describeLoad(filepath.Join(dir, "mcp.json"), environ)
			got = strings.ReplaceAll(got, dir+string(filepath.Separator), "DIR/")
			if strings.Contains(got, "hunter2") {
				t.Errorf("a secret is in the messages:\n%s", got)
			}
			if *update {
				archive.Files = append(kept, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

// describeLoad writes everything that Load says about a file.
func describeLoad(path string, environ []string) string {
	var b bytes.Buffer
	file, report, err := Load(path, EnvFrom(environ))
	if err != nil {
		fmt.Fprintf(&b, "fatal: %v\n", err)
		return b.String()
	}
	for _, p := range report {
		fmt.Fprintf(&b, "%s %s: %s\n", p.Position(), p.Severity, p)
	}
	b.WriteString("servers:")
	for _, s := range file.Servers {
		fmt.Fprintf(&b, " %q", s.Name)
	}
	b.WriteByte('\n')
	return b.String()
}
