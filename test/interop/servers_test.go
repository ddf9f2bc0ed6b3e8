//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"testing"
)

// server is one of the npm servers and what a client does with it.
type server struct {
	name   string
	script string // file of the installed package
	// args and env complete the command line for a working folder.
	args  func(dir string) []string
	env   func(dir string) map[string]string
	steps func(dir string) []step
}

func none(string) []string { return nil }

func noEnv(string) map[string]string { return nil }

const everythingScript = "@modelcontextprotocol/server-everything/dist/index.js"

var (
	everything = server{name: "everything", script: everythingScript, args: none, env: noEnv, steps: everythingSteps}
	filesystem = server{
		name: "filesystem", script: "@modelcontextprotocol/server-filesystem/dist/index.js",
		args: func(dir string) []string { return []string{dir} }, env: noEnv, steps: filesystemSteps,
	}
	memory = server{
		name: "memory", script: "@modelcontextprotocol/server-memory/dist/index.js", args: none,
		env: func(dir string) map[string]string {
			return map[string]string{"MEMORY_FILE_PATH": filepath.Join(dir, "memory.jsonl")}
		},
		steps: memorySteps,
	}
)

// everythingSteps tries every feature of the protocol that the server shows, and every tool of it.
func everythingSteps(string) []step {
	const (
		text    = "demo://resource/dynamic/text/"
		blob    = "demo://resource/dynamic/blob/"
		session = "demo://resource/session/"
	)
	steps := []step{
		list("tools"), list("prompts"), list("resources"), list("resourceTemplates"),
		call("echo", map[string]any{"message": "Grüße, 世界 \u2028 \" \\ 🙂"}),
		call("echo", nil), // a missing argument is the server's error, in its own words
		call("get-annotated-message", map[string]any{"messageType": "error", "includeImage": true}),
		call("get-annotated-message", map[string]any{"messageType": "debug"}),
		call("get-env", nil),
		call("get-resource-links", map[string]any{"count": 4}),
		call("get-resource-reference", map[string]any{"resourceType": "Text", "resourceId": 3}),
		call("get-resource-reference", map[string]any{"resourceType": "Blob", "resourceId": 4}),
		call("get-structured-content", map[string]any{"location": "Chicago"}),
		call("get-sum", map[string]any{"a": 0.1, "b": 1e15}),
		call("get-tiny-image", nil),
		call("get-roots-list", nil),
		call("trigger-sampling-request", map[string]any{"prompt": "Say hi", "maxTokens": 17}),
		call("trigger-elicitation-request", nil),
		call("trigger-url-elicitation", map[string]any{"url": "https://example.com/login", "message": "Log in", "elicitationId": "e1"}),
		call("trigger-url-elicitation", map[string]any{"url": "https://example.com/other", "message": "Log in", "errorPath": true}),
		{Op: opCall, Name: "trigger-long-running-operation", Arguments: map[string]any{"duration": 0.6, "steps": 3}, Progress: true},
		call("simulate-research-query", map[string]any{"topic": "tides"}), // refused: it wants to be a task
		{Op: opTask, Name: "simulate-research-query", Arguments: map[string]any{"topic": "tides"}, Only: "ts1"},
		call("toggle-simulated-logging", nil),
		call("toggle-simulated-logging", nil),
		{Op: opSubscribe, URI: text + "1", Name: "toggle-subscriber-updates"},
		call("toggle-subscriber-updates", nil),
		get("simple-prompt", nil),
		get("args-prompt", map[string]any{"city": "Lyon", "state": "Rhône"}),
		get("args-prompt", nil), // a missing argument
		get("completable-prompt", map[string]any{"department": "Sales", "name": "Eve"}),
		get("resource-prompt", map[string]any{"resourceType": "Text", "resourceId": "2"}),
		get("resource-prompt", map[string]any{"resourceType": "Blob", "resourceId": "5"}),
		read(text + "7"), read(blob + "8"), read(text + "seven"),
		complete(&ref{Type: "ref/prompt", Name: "completable-prompt"}, "department", "S", nil),
		complete(&ref{Type: "ref/prompt", Name: "completable-prompt"}, "name", "", map[string]string{"department": "Support"}),
		complete(&ref{Type: "ref/resource", URI: text + "{resourceId}"}, "resourceId", "12", nil),
		// A tool that makes a resource: the list changes (where connections are shared), and the new URI can be read.
		call("gzip-file-as-resource", map[string]any{"name": "a.gz", "data": "data:text/plain,hello", "outputType": "resource"}),
		call("gzip-file-as-resource", map[string]any{"name": "b.gz", "data": "data:text/plain,hello", "outputType": "resourceLink"}),
		{Op: opList, What: "resources", Until: session + "b.gz", Shared: true},
		read(session + "a.gz"), read(session + "b.gz"),
	}
	for _, document := range []string{"architecture", "extension", "features", "how-it-works", "instructions", "startup", "structure"} {
		steps = append(steps, read("demo://resource/static/document/"+document+".md"))
	}
	return steps
}

func complete(of *ref, name, value string, context map[string]string) step {
	s := step{Op: opComplete, Ref: of, Argument: &argument{name, value}}
	if context != nil {
		s.Context = &contextArgs{context}
	}
	return s
}

// seedFiles puts the files into dir that filesystemSteps works on.
func seedFiles(t *testing.T, dir string) {
	t.Helper()
	for name, text := range map[string]string{
		"notes.txt":        "one\ntwo\nthree\nfour\n",
		"deep/inner/a.txt": "alpha",
		"deep/b.json":      `{"n": 12345678901234567890}`,
		"pixel.png":        "\x89PNG\r\n\x1a\n\x00\x01\x02\xff",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func filesystemSteps(dir string) []step {
	at := func(name string) map[string]any { return map[string]any{"path": filepath.Join(dir, name)} }
	with := func(name string, more map[string]any) map[string]any {
		arguments := at(name)
		for k, v := range more {
			arguments[k] = v
		}
		return arguments
	}
	return []step{
		list("tools"),
		call("list_allowed_directories", nil),
		call("read_file", at("notes.txt")),
		call("read_text_file", with("notes.txt", map[string]any{"head": 2})),
		call("read_text_file", with("notes.txt", map[string]any{"tail": 1})),
		call("read_text_file", at("absent.txt")),
		call("read_text_file", map[string]any{"path": "/etc/hostname"}), // outside: refused
		call("read_media_file", at("pixel.png")),
		call("read_multiple_files", map[string]any{"paths": []string{filepath.Join(dir, "notes.txt"), filepath.Join(dir, "deep/b.json")}}),
		call("list_directory", at("")),
		call("list_directory_with_sizes", with("", map[string]any{"sortBy": "size"})),
		call("directory_tree", at("")),
		call("search_files", with("", map[string]any{"pattern": "**/*.txt"})),
		call("get_file_info", at("notes.txt")),
		call("write_file", with("new.txt", map[string]any{"content": "Zeile\r\nnächste\tüber\n"})),
		call("edit_file", with("notes.txt", map[string]any{"edits": []any{map[string]any{"oldText": "two", "newText": "2"}}})),
		call("create_directory", at("made/here")),
		call("move_file", map[string]any{"source": filepath.Join(dir, "new.txt"), "destination": filepath.Join(dir, "made/moved.txt")}),
		call("read_text_file", at("made/moved.txt")),
		call("read_text_file", at("notes.txt")),
	}
}

func memorySteps(string) []step {
	entity := func(name, kind string, observations ...string) map[string]any {
		return map[string]any{"name": name, "entityType": kind, "observations": observations}
	}
	relation := map[string]any{"from": "Ada", "to": "Engine", "relationType": "programs"}
	return []step{
		list("tools"), list("resources"),
		call("read_graph", nil),
		call("create_entities", map[string]any{"entities": []any{entity("Ada", "person", "writes notes"), entity("Engine", "machine")}}),
		call("create_relations", map[string]any{"relations": []any{relation}}),
		call("add_observations", map[string]any{"observations": []any{map[string]any{"entityName": "Ada", "contents": []string{"likes numbers", "né 1815"}}}}),
		call("add_observations", map[string]any{"observations": []any{map[string]any{"entityName": "Nobody", "contents": []string{"x"}}}}),
		call("search_nodes", map[string]any{"query": "numbers"}),
		call("open_nodes", map[string]any{"names": []string{"Ada", "Engine"}}),
		read("memory://knowledge-graph"),
		call("delete_observations", map[string]any{"deletions": []any{map[string]any{"entityName": "Ada", "observations": []string{"likes numbers"}}}}),
		call("delete_relations", map[string]any{"relations": []any{relation}}),
		call("delete_entities", map[string]any{"entityNames": []string{"Engine"}}),
		call("read_graph", nil),
	}
}
