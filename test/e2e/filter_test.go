package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// tagged are two servers, one of which a client that selects web must not be able to tell from nothing.
func tagged(t *testing.T) map[string]any {
	t.Helper()
	return map[string]any{
		"web": stdio(t, role{Name: "web"}).with("tags", []string{"web", "open"}),
		"db":  streamable(t, newActor(role{Name: "db"})).with("tags", []string{"db", "internal"}),
	}
}

// TestSelectionsList: every way to write a selection gives the servers that it names.
func TestSelectionsList(t *testing.T) {
	t.Parallel()
	g := start(t, tagged(t))
	await(t, connect(t, g, "/mcp"), "web__mirror", "db__mirror")
	for query, want := range map[string]string{
		"":                                   "db web",
		"?tags=web":                          "web",
		"?tags=WEB":                          "web",
		"?tags=web,db":                       "db web",
		"?tags=nobody":                       "",
		"?tag-filter=web%20AND%20NOT%20db":   "web",
		"?tag-filter=web%20and%20internal":   "",
		"?tag-filter=(web%20or%20db)%2Bopen": "web",
		"?tag-filter=!web":                   "db",
		"?filter=db%7C%7Cnobody":             "db",
		"?filter=web,db":                     "db web",
	} {
		t.Run(query, func(t *testing.T) {
			for _, path := range []string{"/mcp", "/sse"} {
				var c testkit.Conn
				if path == "/mcp" {
					c = connect(t, g, path+query)
				} else {
					c = connectSSE(t, g, path+query, testkit.Greeting{Version: newest}, nil)
				}
				var servers []string
				for _, name := range toolNames(t, c) {
					server, _, _ := strings.Cut(name, "__")
					servers = append(servers, server)
				}
				slices.Sort(servers)
				if have := strings.Join(slices.Compact(servers), " "); have != want {
					t.Errorf("%s%s lists the tools of %q, want %q", path, query, have, want)
				}
			}
		})
	}
}

// TestHiddenIsNonexistent holds invariant 3: whatever a client tries with what its selection hides, the answer is the same,
// byte for byte, as for something that does not exist.
func TestHiddenIsNonexistent(t *testing.T) {
	t.Parallel()
	g := start(t, tagged(t))
	all := connect(t, g, "/mcp")
	await(t, all, "web__mirror", "db__mirror")
	// db and zz are of the same length; zz does not exist. What an answer repeats of the name is made the same.
	attempts := map[string]string{
		"tool":                 `"tools/call","params":{"name":"SERVER__mirror","arguments":{}}`,
		"prompt":               `"prompts/get","params":{"name":"SERVER__greet"}`,
		"resource":             `"resources/read","params":{"uri":"actor://SERVER/doc"}`,
		"resource by template": `"resources/read","params":{"uri":"actor://SERVER/page/1"}`,
		"subscription":         `"resources/subscribe","params":{"uri":"actor://SERVER/doc"}`,
		"unsubscription":       `"resources/unsubscribe","params":{"uri":"actor://SERVER/doc"}`,
		"prompt completion":    `"completion/complete","params":{"ref":{"type":"ref/prompt","name":"SERVER__greet"},"argument":{"name":"who","value":"x"}}`,
		"resource completion":  `"completion/complete","params":{"ref":{"type":"ref/resource","uri":"actor://SERVER/page/{n}"},"argument":{"name":"n","value":"1"}}`,
		"unknown method":       `"vendor/method","params":{"name":"SERVER__mirror"}`,
	}
	for _, path := range []string{"/mcp", "/sse"} {
		for rule, attempt := range attempts {
			t.Run(path+"/"+rule, func(t *testing.T) {
				ask := func(c testkit.Conn, server string) testkit.Message {
					return do(t, c, []byte(`{"jsonrpc":"2.0","id":"1","method":`+strings.ReplaceAll(attempt, "SERVER", server)+`}`))
				}
				var c testkit.Conn
				if path == "/mcp" {
					c = connect(t, g, path+"?tags=web")
				} else {
					c = connectSSE(t, g, path+"?tags=web", testkit.Greeting{Version: newest}, nil)
				}
				hidden, missing := string(ask(c, "db").Raw), string(ask(c, "zz").Raw)
				if strings.ReplaceAll(hidden, "db", "zz") != missing {
					t.Errorf("hidden:  %s\nmissing: %s", hidden, missing)
				}
				if rule != "unknown method" && ask(all, "db").Result == nil {
					t.Errorf("whoever may see it cannot use it: %s", ask(all, "db").Raw)
				}
			})
		}
	}
	t.Run("the other lists", func(t *testing.T) {
		c := connect(t, g, "/mcp?tags=web")
		for _, l := range [][3]string{
			{"prompts/list", "prompts", "name"},
			{"resources/list", "resources", "uri"},
			{"resources/templates/list", "resourceTemplates", "uriTemplate"},
		} {
			for _, name := range names(t, c, l[0], l[1], l[2]) {
				if strings.Contains(name, "db") {
					t.Errorf("%s shows %s", l[0], name)
				}
			}
		}
	})
}

// TestHiddenServersAreNotHeard: what a hidden server says of itself reaches those who see it and nobody else.
func TestHiddenServersAreNotHeard(t *testing.T) {
	t.Parallel()
	g := start(t, tagged(t))
	for _, row := range []struct{ rule, what, method string }{
		{"log messages", "log", "notifications/message"},
		{"updated resources", "updated", "notifications/resources/updated"},
	} {
		t.Run(row.rule, func(t *testing.T) {
			all, web := connect(t, g, "/mcp"), connect(t, g, "/mcp?tags=web")
			await(t, all, "web__poke", "db__poke")
			for _, c := range []*testkit.Streamable{all, web} {
				do(t, c, testkit.Request("1", "resources/subscribe", `{"uri":"actor://web/doc"}`))
				do(t, c, testkit.Request("2", "resources/subscribe", `{"uri":"actor://db/doc"}`))
			}
			allHears, webHears := listenTo(t, all), listenTo(t, web)
			poke := fmt.Sprintf(`{"what":%q}`, row.what)
			call(t, all, "db__poke", poke)
			next(t, allHears, row.method, "db")
			call(t, all, "web__poke", poke)
			next(t, allHears, row.method, "web")
			// The stream is in order: had the hidden server been heard, it would have come first.
			if m := next(t, webHears, row.method, "web"); strings.Contains(string(m.Raw), "db") {
				t.Errorf("a hidden server was heard: %s", m.Raw)
			}
		})
	}
}

// TestHiddenListsDoNotChange: that a hidden server's list changed is told to those who see it and nobody else. The word
// names no server, so it is counted.
func TestHiddenListsDoNotChange(t *testing.T) {
	t.Parallel()
	const changed = "notifications/tools/list_changed"
	g := start(t, tagged(t))
	all, web := connect(t, g, "/mcp"), connect(t, g, "/mcp?tags=web")
	await(t, all, "web__poke", "db__poke")
	allHears, webHears := listenTo(t, all), listenTo(t, web)
	// The first rounds may still hear of the start.
	for round := range 4 {
		call(t, all, "db__poke", `{"what":"tools"}`)
		next(t, allHears, changed, "")
		call(t, all, "web__poke", `{"what":"log"}`)
		heard := 0
		for {
			m, _, err := webHears.NextMessage()
			if err != nil {
				t.Fatal(err)
			}
			if m.Method == changed {
				heard++
			}
			if m.Method == "notifications/message" {
				break
			}
		}
		if round >= 2 && heard > 0 {
			t.Errorf("round %d: %d times %s for a list that is hidden", round, heard, changed)
		}
	}
	call(t, all, "web__poke", `{"what":"tools"}`)
	next(t, webHears, changed, "")
}

// listenTo opens a client's standing stream.
func listenTo(t *testing.T, c *testkit.Streamable) *testkit.Stream {
	t.Helper()
	s, err := c.Listen(deadline(t), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// next reads on to the next notification of that method and wants it to be of that server, if it names one.
func next(t *testing.T, s *testkit.Stream, method, server string) testkit.Message {
	t.Helper()
	for {
		m, _, err := s.NextMessage()
		if err != nil {
			t.Fatalf("waiting for %s of %s: %v", method, server, err)
		}
		if m.Method != method {
			continue
		}
		if m.Params != nil && !strings.Contains(string(m.Params), server) {
			t.Errorf("want %s of %s, got %s", method, server, m.Raw)
		}
		return m
	}
}

// TestBadSelections: a selection that cannot be read is answered 400 and the place where reading ended.
func TestBadSelections(t *testing.T) {
	t.Parallel()
	g := start(t, tagged(t))
	where := regexp.MustCompile(`(byte|position|column|offset) \d+`)
	for query, place := range map[string]bool{
		"tag-filter=" + url.QueryEscape("web AND (db"):    true,
		"tag-filter=" + url.QueryEscape("web AND"):        true,
		"tag-filter=" + url.QueryEscape("AND web"):        true,
		"tag-filter=" + url.QueryEscape("web)"):           true,
		"tag-filter=" + url.QueryEscape("!!web"):          true,
		"tag-filter=" + url.QueryEscape("we$b"):           true,
		"tags=web&tag-filter=db":                          false,
		"preset=nobody":                                   false,
		"tags=" + strings.Repeat("a,", 60) + "a&filter=b": false,
	} {
		for _, path := range []string{"/mcp", "/sse"} {
			method, body := http.MethodPost, testkit.Request("1", "initialize",
				`{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}`)
			if path == "/sse" {
				method, body = http.MethodGet, nil
			}
			res, text := exchange(t, g, method, path+"?"+query, string(body), nil)
			if res.StatusCode != http.StatusBadRequest {
				t.Errorf("%s %s?%s: %s, want 400: %s", method, path, query, res.Status, text)
			}
			if place && !where.MatchString(text) {
				t.Errorf("%s?%s does not say where it is wrong: %s", path, query, text)
			}
		}
	}
}

// exchange sends one HTTP request as a client that accepts everything, and gives the answer with its text.
func exchange(t *testing.T, g *testkit.Gateway, method, target, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(deadline(t), method, g.URL(target), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	for k, v := range header {
		if req.Header[k] = v; k == "Host" {
			req.Host = v[0]
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		return res, "" // it would not end
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// TestPagination: with ?pagination=true lists come in pages, which together are the whole list; a cursor is good for the
// list and the selection it was made for, and for nothing else.
func TestPagination(t *testing.T) {
	t.Parallel()
	servers := map[string]any{
		"many": stdio(t, role{Name: "many", Tools: 250}).with("tags", []string{"many"}),
		"few":  stdio(t, role{Name: "few"}).with("tags", []string{"few"}),
	}
	g := start(t, servers)
	whole, paged := connect(t, g, "/mcp"), connect(t, g, "/mcp?pagination=true")
	await(t, whole, "many__numbered_00249", "few__mirror")
	if first := do(t, whole, testkit.Request("1", "tools/list", "")); testkit.Get(first.Result, "nextCursor") != nil {
		t.Errorf("without pagination the list came with the cursor %s", testkit.Get(first.Result, "nextCursor"))
	}
	var cursors []string
	var have []string
	cursor := ""
	for {
		params := `{}`
		if cursor != "" {
			params = `{"cursor":` + testkit.Quote(cursor) + `}`
		}
		m := do(t, paged, testkit.Request("1", "tools/list", params))
		for _, item := range testkit.Items(m.Result, "tools") {
			have = append(have, testkit.GetString(item, "name"))
		}
		if cursor = testkit.GetString(m.Result, "nextCursor"); cursor == "" {
			break
		}
		if slices.Contains(cursors, cursor) || len(cursors) > 1000 {
			t.Fatalf("the pages do not end; after %d pages: %s", len(cursors), m.Raw)
		}
		cursors = append(cursors, cursor)
	}
	if len(cursors) < 2 {
		t.Fatalf("%d tools came in %d pages, want at least 3", len(have), len(cursors)+1)
	}
	if want := toolNames(t, whole); !slices.Equal(have, want) {
		t.Errorf("the pages hold %d tools, the whole list %d, or in another order", len(have), len(want))
	}
	filtered := connect(t, g, "/mcp?pagination=true&tags=many")
	foreign := do(t, filtered, testkit.Request("1", "tools/list", ""))
	for rule, bad := range map[string]struct {
		c      *testkit.Streamable
		method string
		cursor string
	}{
		"made up":              {paged, "tools/list", "bm9uc2Vuc2U"},
		"altered":              {paged, "tools/list", alter(cursors[0], len(cursors[0])/2)},
		"of another list":      {paged, "prompts/list", cursors[0]},
		"of another selection": {paged, "tools/list", testkit.GetString(foreign.Result, "nextCursor")},
		"of no selection":      {filtered, "tools/list", cursors[0]},
	} {
		m := do(t, bad.c, testkit.Request("1", bad.method, `{"cursor":`+testkit.Quote(bad.cursor)+`}`))
		if testkit.GetInt(m.Error, "code") != -32602 {
			t.Errorf("a cursor %s: %.200s, want -32602", rule, m.Raw)
		}
	}
}
