package upstream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// cannedServer answers every request with the same result of about size bytes; stream says in which form.
func cannedServer(b *testing.B, size int, stream bool) *httptest.Server {
	b.Helper()
	tail := []byte(`,"result":{"content":[{"type":"text","text":"` + strings.Repeat("x", size) + `"}]}}`)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m, err := wire.Skim(body)
		switch {
		case r.Method != http.MethodPost:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case err != nil || m.Kind != wire.Request:
			w.WriteHeader(http.StatusAccepted)
		case m.MethodName() == "initialize":
			writeJSON(w, 200, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID.Of(body), webHello))
		case stream:
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s%s\n\n", m.ID.Of(body), tail)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s`, m.ID.Of(body))
			_, _ = w.Write(tail)
		}
	}))
	b.Cleanup(srv.Close)
	return srv
}

// The cost of a call through a connection against http.Client.Do with the same body; both include the server.
func BenchmarkHTTPCall(b *testing.B) {
	for _, size := range []int{1 << 10, 48 << 10, 10 << 20} {
		b.Run(fmt.Sprintf("%dKiB/client.Do", size>>10), func(b *testing.B) { benchDo(b, cannedServer(b, size, false)) })
		b.Run(fmt.Sprintf("%dKiB/call", size>>10), func(b *testing.B) { benchCall(b, cannedServer(b, size, false)) })
		b.Run(fmt.Sprintf("%dKiB/call, event stream", size>>10), func(b *testing.B) { benchCall(b, cannedServer(b, size, true)) })
	}
}

func benchDo(b *testing.B, srv *httptest.Server) {
	client := &http.Client{Transport: newTransport()}
	b.Cleanup(client.CloseIdleConnections)
	body, buf := []byte(webEcho), make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, srv.URL, bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = resp.Body.Read(buf)
		}
		_ = resp.Body.Close()
	}
}

func benchCall(b *testing.B, srv *httptest.Server) {
	d, err := newHTTPDialer(httpOptions{URL: srv.URL, Log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	c, err := d.dial(b.Context(), webGreeting, newWebEvents())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.close(context.Background()) })
	call := webCall(b, webEcho, nil)
	buf := make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		a, err := c.call(b.Context(), call)
		if err != nil {
			b.Fatal(err)
		}
		if a.Stream != nil {
			for err == nil {
				_, err = a.Stream.Read(buf)
			}
		}
		a.Close()
	}
}
