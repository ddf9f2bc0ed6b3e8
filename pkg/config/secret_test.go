package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
)

// secretServers have the word hunter2 wherever a secret can be, as two reads of files give them.
func secretServers(t *testing.T) []Server {
	return parseFile(t, `{"mcpServers": {
		"p": {"command": "x", "args": ["--key", "${KEY}"], "env": {"K": "hunter2", "L": "${KEY}"}},
		"r": {"url": "https://user:hunter2@h/mcp?key=hunter2#hunter2", "headers": {"K": "hunter2"}, "oauth": {"clientSecret": "hunter2"}},
		"v": {"url": "https://h/${KEY}/mcp"},
		"k": {"url": "https://h/s/hunter2hunter2hunter2hunter2/mcp"}}}`, "KEY=hunter2").Servers
}

func TestSecretsNeverPrint(t *testing.T) {
	type holder struct {
		Secret  Secret
		Map     map[string]Secret
		Pointer *Secret
		List    []Secret
	}
	s := Secret("hunter2")
	values := []any{s, &s, holder{s, map[string]Secret{"k": s}, &s, []Secret{s}}, []any{s}, fmt.Errorf("failed with %s", s)}
	for _, server := range secretServers(t) {
		values = append(values, server, &server, []Server{server}, server.OAuth, server.Headers, server.Env, server.Target())
	}
	for i, v := range values {
		var b bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%08.3f", "% x", "%+q"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
		fmt.Fprintln(&b, v)
		if text, err := json.Marshal(v); err == nil {
			b.Write(text)
		}
		if text, err := xml.Marshal(v); err == nil {
			b.Write(text)
		}
		log := zerolog.New(&b)
		log.Info().Any("v", v).Interface("w", v).Str("x", fmt.Sprint(v)).Send()
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
		for _, leak := range []string{"hunter2", "68756e74657232", "68 75 6e"} {
			if strings.Contains(strings.ToLower(b.String()), leak) {
				t.Errorf("value %d of type %T prints %q:\n%s", i, v, leak, b.String())
			}
		}
	}
	if s.Reveal() != "hunter2" || s.String() != redacted || Secret("").String() != "" {
		t.Errorf("Reveal %q, String %q, empty %q", s.Reveal(), s, Secret(""))
	}
}

func TestTargetShowsWhatIsNotSecret(t *testing.T) {
	want := map[string]string{
		"p": "x --key ${KEY}",
		"r": "https://h/mcp?[redacted]",
		"v": "https://h/[redacted]/[redacted]",
		"k": "https://h/s/[redacted]/mcp",
	}
	for _, s := range secretServers(t) {
		if got := s.Target(); got != want[s.Name] {
			t.Errorf("Target of %s = %q, want %q", s.Name, got, want[s.Name])
		}
	}
	if got := (Server{Transport: TransportHTTP, URL: "::hunter2"}).Target(); got != redacted {
		t.Errorf("a URL that does not parse shows %q", got)
	}
	if got := fmt.Sprintf("%+v", parseOne(t, `{"command": "x", "args": ["y"]}`)); got != "s (stdio: x y)" {
		t.Errorf("a server prints as %q", got)
	}
}

func TestSecretsOfAFile(t *testing.T) {
	file := parseFile(t, `{"mcpServers": {
		"p": {"command": "x", "args": ["--key=${KEY}", "${SHORT}"], "env": {"A": "plain", "E": ""}},
		"r": {"url": "https://u:pass@h/s/0123456789abcdef0123/mcp?q=query", "headers": {"K": "Bearer ${KEY}"}, "oauth": {"clientSecret": "client"}}}}`,
		"KEY=from-a-variable", "SHORT=5")
	want := []string{
		"0123456789abcdef0123", "Bearer from-a-variable", "client", "from-a-variable",
		"https://u:pass@h/s/0123456789abcdef0123/mcp?q=query", "pass", "plain", "query",
	}
	if diff := cmp.Diff(want, file.Secrets()); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
}
