package redact

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// request makes a real failure of net/http.
func request(t *testing.T, ctx context.Context, target string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", target, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

// closedPort is an address of the loopback on which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestClassify(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer slow.Close()
	defer close(hang)
	drop := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer drop.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	short, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	var number int
	command := func(name string, args ...string) error { return exec.CommandContext(t.Context(), name, args...).Run() }
	notProgram := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(notProgram, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		rule string
		err  error
		want Code
	}{
		{"nothing", nil, None},
		{"nobody listens", request(t, t.Context(), "http://"+closedPort(t)), ConnectRefused},
		{"unknown authority", request(t, t.Context(), secure.URL), TLS},
		{"not TLS", request(t, t.Context(), "https://"+slow.Listener.Addr().String()), TLS},
		{"the caller left", request(t, cancelled, slow.URL), Cancelled},
		{"no answer in time", request(t, short, slow.URL), Timeout},
		{"cut in the middle", request(t, t.Context(), drop.URL), Disconnected},
		{"a dial that takes too long", &url.Error{Op: "Get", Err: &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}}, ConnectTimeout},
		{"no such name", fmt.Errorf("x: %w", &net.DNSError{IsNotFound: true}), DNS},
		{"no name server in time", &net.OpError{Op: "dial", Err: &net.DNSError{IsTimeout: true}}, DNS},
		{"no route", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, Unreachable},
		{"wrong name in the certificate", &url.Error{Err: x509.HostnameError{Certificate: &x509.Certificate{}}}, TLS},
		{"alert", fmt.Errorf("x: %w", tls.AlertError(40)), TLS},
		{"no such program", command(filepath.Join(t.TempDir(), "none")), SpawnFailed},
		{"no such program on the path", command("no-such-program-anywhere"), SpawnFailed},
		{"not a program", command(notProgram), SpawnFailed},
		{"a process that failed", fmt.Errorf("x: %w", &exec.ExitError{}), Exited},
		{"broken pipe", &os.PathError{Op: "write", Err: syscall.EPIPE}, Disconnected},
		{"closed pipe", io.ErrClosedPipe, Disconnected},
		{"no more descriptors", os.NewSyscallError("socket", syscall.EMFILE), Overloaded},
		{"bad JSON", json.Unmarshal([]byte("{"), &number), Protocol},
		{"JSON of another type", json.Unmarshal([]byte(`"x"`), &number), Protocol},
		{"body over its limit", &http.MaxBytesError{Limit: 1}, TooLarge},
		{"line over its limit", bufio.ErrTooLong, TooLarge},
		{"an error that knows its code, wrapped", fmt.Errorf("x: %w", WithCode(io.EOF, OAuthRequired)), OAuthRequired},
		{"anything else", errors.New("password=hunter2"), Internal},
	} {
		if c.want != None && c.err == nil {
			t.Errorf("%s: there is no error", c.rule)
		}
		if got := Classify(c.err); got != c.want {
			t.Errorf("%s: %q, want %q (%v)", c.rule, got, c.want, c.err)
		}
	}
}

func TestWithCodeKeepsTheError(t *testing.T) {
	err := WithCode(io.EOF, Protocol)
	if !errors.Is(err, io.EOF) || err.Error() != "EOF" {
		t.Errorf("%v", err)
	}
	if WithCode(nil, Protocol) != nil {
		t.Error("nil became an error")
	}
}

func TestStatusCodes(t *testing.T) {
	for status, want := range map[int]Code{200: None, 302: None, 400: HTTP4xx, 401: HTTP401, 403: HTTP403, 404: HTTP404, 413: TooLarge, 418: HTTP4xx, 429: HTTP429, 500: HTTP5xx, 503: HTTP5xx} {
		if got := FromStatus(status); got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
}

func TestEveryCodeHasASentenceThatIsClean(t *testing.T) {
	for code, sentence := range sentences {
		if (sentence == "") != (code == None) || Text(sentence) != sentence || code.Sentence() != sentence {
			t.Errorf("%q: %q", code, sentence)
		}
	}
	if Code("made up").Sentence() != Internal.Sentence() {
		t.Error("an unknown code has a sentence of its own")
	}
}
