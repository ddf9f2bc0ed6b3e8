//go:build conformance

package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// shim maps the public names of tools and prompts to the fixed names that the scenarios call, and nothing else: names
// in requests get the prefix, names in lists lose it, URIs and everything else pass as they are.
type shim struct {
	t      *testing.T
	prefix string
}

// listKey finds the member of a list result that holds the named items.
var listKey = map[string]string{"tools/list": "tools", "prompts/list": "prompts"}

type methodKey struct{}

// startShim serves the gateway at target under names without the prefix, until the test is over.
func startShim(t *testing.T, target, prefix string) string {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	s := &shim{t: t, prefix: prefix}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, ModifyResponse: s.modify}
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := s.rename(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		proxy.ServeHTTP(w, out)
	}))
	t.Cleanup(host.Close)
	from, err := url.Parse(host.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy.Rewrite = func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host = to.Scheme, to.Host
		// The gateway judges Host and Origin itself: only the port, which is the shim's, becomes the gateway's.
		p.Out.Host = strings.Replace(p.In.Host, ":"+from.Port(), ":"+to.Port(), 1)
		if origin := p.In.Header.Get("Origin"); origin != "" {
			p.Out.Header.Set("Origin", strings.Replace(origin, ":"+from.Port(), ":"+to.Port(), 1))
		}
	}
	return host.URL + to.Path
}

// rename gives the request with the prefix in front of the name it calls, and remembers its method for the answer.
func (s *shim) rename(r *http.Request) (*http.Request, error) {
	if r.Method != http.MethodPost {
		return r, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var message struct {
		Method string `json:"method"`
	}
	_ = json.Unmarshal(body, &message) // a batch or a broken message has no name to map; the gateway will judge it
	switch message.Method {
	case "tools/call", "prompts/get":
		body, err = edit(body, s.add, "params", "name")
	case "completion/complete":
		if bytes.Contains(body, []byte(`"ref/prompt"`)) {
			body, err = edit(body, s.add, "params", "ref", "name")
		}
	}
	out := r.WithContext(context.WithValue(r.Context(), methodKey{}, message.Method))
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return out, err
}

// modify takes the prefix off the names in a list; other answers stream through.
func (s *shim) modify(res *http.Response) error {
	method, _ := res.Request.Context().Value(methodKey{}).(string)
	key, ok := listKey[method]
	if !ok || res.StatusCode != http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		lines := strings.Split(string(body), "\n")
		for i, line := range lines {
			data, found := strings.CutPrefix(line, "data:")
			if !found || !strings.Contains(data, `"`+key+`"`) {
				continue
			}
			if body, err = s.unname([]byte(data), key); err != nil {
				return err
			}
			lines[i] = "data: " + string(body)
		}
		body = []byte(strings.Join(lines, "\n"))
	} else if body, err = s.unname(body, key); err != nil {
		return err
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

func (s *shim) unname(message []byte, key string) ([]byte, error) {
	return edit(message, func(list json.RawMessage) (json.RawMessage, error) {
		var items []json.RawMessage
		if err := json.Unmarshal(list, &items); err != nil {
			return nil, err
		}
		for i, item := range items {
			var err error
			if items[i], err = edit(item, s.remove, "name"); err != nil {
				return nil, err
			}
		}
		return json.Marshal(items)
	}, "result", key)
}

func (s *shim) add(name json.RawMessage) (json.RawMessage, error) {
	var text string
	if err := json.Unmarshal(name, &text); err != nil {
		return nil, err
	}
	return json.Marshal(s.prefix + text)
}

func (s *shim) remove(name json.RawMessage) (json.RawMessage, error) {
	var text string
	if err := json.Unmarshal(name, &text); err != nil {
		return nil, err
	}
	bare, ok := strings.CutPrefix(text, s.prefix)
	if !ok {
		s.t.Errorf("the name %q is without the prefix %q", text, s.prefix)
	}
	return json.Marshal(bare)
}

// edit replaces the value at the path of members in a JSON object; the bytes of all other values stay.
func edit(object json.RawMessage, change func(json.RawMessage) (json.RawMessage, error), path ...string) (json.RawMessage, error) {
	if len(path) == 0 {
		return change(object)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	value, ok := members[path[0]]
	if !ok {
		return nil, fmt.Errorf("no member %q in %.80s", path[0], object)
	}
	changed, err := edit(value, change, path[1:]...)
	if err != nil {
		return nil, err
	}
	members[path[0]] = changed
	return json.Marshal(members)
}
