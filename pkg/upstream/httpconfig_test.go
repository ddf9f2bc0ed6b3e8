package upstream

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// A guess from the URL is corrected by what the server speaks; what the configuration says is not.
func TestConfiguredTransport(t *testing.T) {
	noLeaks(t)
	srv := newWebServer()
	srv.call = func(w http.ResponseWriter, _ *http.Request, id string, _ wire.Message) {
		writeJSON(w, 200, textResult(id, "ok"))
	}
	srv.start(t)
	s := config.Server{URL: config.Secret(srv.URL + "/sse"), Headers: map[string]config.Secret{"X-Key": "k"}}
	guessed := s
	guessed.TransportInferred = true
	tests := []struct {
		rule  string
		d     dialer
		speak bool
	}{
		{"http", newStreamableDialer(s, Options{}, zerolog.Nop()), true},
		{"sse, guessed", newSSEDialer(guessed, Options{}, zerolog.Nop()), true},
		{"sse, configured", newSSEDialer(s, Options{}, zerolog.Nop()), false},
	}
	for _, tt := range tests {
		c, err := tt.d.dial(t.Context(), webGreeting, newWebEvents())
		if (err == nil) != tt.speak {
			t.Errorf("%s: %v", tt.rule, err)
		}
		if err == nil {
			c.close(t.Context())
		}
	}
	for _, r := range srv.seen(func(webRequest) bool { return true }) {
		if r.header.Get("X-Key") != "k" {
			t.Errorf("%s without the configured header", r.method)
		}
	}
}

// Settings that cannot work are told when the server is to be reached, without the secret in them.
func TestUnusableSettings(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	s := config.Server{URL: config.Secret(srv.URL), Headers: map[string]config.Secret{"X-Key": "sesame\n"}}
	_, err := newStreamableDialer(s, Options{}, zerolog.Nop()).dial(t.Context(), webGreeting, newWebEvents())
	if err == nil || !strings.Contains(err.Error(), "headers.X-Key") || strings.Contains(err.Error(), "sesame") {
		t.Errorf("error %v", err)
	}
}
