//go:build interop

package interop

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// volatile lists what may differ between two runs of one server, or between a server and the gateway, and why. A rule
// applies to every string in the entries whose label matches.
var volatile = []struct {
	labels, pattern *regexp.Regexp
	with            string
	reason          string
}{
	{
		regexp.MustCompile(`resource-reference|resource-prompt|dynamic/`),
		regexp.MustCompile(`created at \d{1,2}:\d\d:\d\d(\s?[AP]M)?`), "created at <clock>",
		"the text holds the time of day at which it was made",
	}, {
		regexp.MustCompile(`toggle-`),
		regexp.MustCompile(`session (undefined|[0-9A-Za-z-]+)`), "session <id>",
		"the server names its own session, which over HTTP is random",
	}, {
		regexp.MustCompile(`get-env`),
		regexp.MustCompile(`(?s).+`), "<environment>",
		"the environment is that of whoever starts the server; the gateway gives an explicit minimum",
	}, {
		regexp.MustCompile(`trigger-url-elicitation`),
		regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "<uuid>",
		"the server makes a random elicitation id",
	}, {
		regexp.MustCompile(`call simulate-research-query`),
		regexp.MustCompile(`Tool "everything__`), `Tool "`,
		"the TypeScript SDK 1.x itself refuses, and names the tool as it was called",
	}, {
		regexp.MustCompile(`task `),
		regexp.MustCompile(`^([0-9a-f]{32}|\d{4}-\d\d-\d\dT[\d:.]+Z)$`), "<task id or time>",
		"a task has a random id and the times of its making",
	}, {
		regexp.MustCompile(`get_file_info`),
		regexp.MustCompile(`(created|modified|accessed): [^\n]+`), "$1: <time>",
		"the folders of the two runs were made at different times",
	},
}

// normalise gives the transcript as a map from label to plain JSON values, without what is volatile, without the
// prefix of names in lists, with lists sorted (the gateway's lists are sorted, a server's need not be), without the last
// progress notification (see isLast), and with the working folder named alike.
func normalise(t *testing.T, transcript []entry, prefix, dir string) map[string]any {
	t.Helper()
	out := map[string]any{}
	for _, e := range transcript {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.UseNumber() // a number compares by its digits
		var value map[string]any
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		delete(value, "label")
		if result, ok := value["result"].(map[string]any); ok && strings.Contains(e.Label, " "+opList+" ") {
			for what := range result {
				unname(t, result, what, prefix)
			}
		}
		if progress, ok := value["progress"].([]any); ok {
			value["progress"] = slices.DeleteFunc(progress, isLast)
		}
		out[e.Label] = walk(e.Label, "", value, dir)
	}
	return out
}

// isLast tells whether a progress notification is that of the end. The server sends it together with the response, and
// in the SDKs its delivery and the end of the call race: even straight to the server a client sees it now and then only.
func isLast(notification any) bool {
	members := notification.(map[string]any)
	return members["progress"] == members["total"]
}

// unname takes the prefix off the names of a list's items and sorts them by what identifies them.
func unname(t *testing.T, result map[string]any, what, prefix string) {
	t.Helper()
	items, _ := result[what].([]any)
	identity := map[string]string{"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}[what]
	for _, item := range items {
		if members := item.(map[string]any); identity == "name" {
			name, ok := strings.CutPrefix(members["name"].(string), prefix)
			if !ok {
				t.Errorf("%s: the name %q is without the prefix %q", what, members["name"], prefix)
			}
			members["name"] = name
		}
	}
	slices.SortFunc(items, func(a, b any) int {
		return strings.Compare(a.(map[string]any)[identity].(string), b.(map[string]any)[identity].(string))
	})
}

// walk rewrites every string below value. A blob that is base64 of text is judged as that text.
func walk(label, key string, value any, dir string) any {
	switch v := value.(type) {
	case map[string]any:
		for k := range v {
			v[k] = walk(label, k, v[k], dir)
		}
	case []any:
		for i := range v {
			v[i] = walk(label, key, v[i], dir)
		}
	case string:
		if key == "blob" && !strings.Contains(label, ".gz") && !strings.Contains(label, "gzip") {
			if text, err := base64.StdEncoding.DecodeString(v); err == nil {
				v = string(text)
			}
		}
		v = strings.ReplaceAll(v, dir, "<folder>")
		for _, rule := range volatile {
			if rule.labels.MatchString(label) {
				v = rule.pattern.ReplaceAllString(v, rule.with)
			}
		}
		return v
	}
	return value
}
