//go:build unix

package upstream

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/redact"
)

// childServer configures the test binary as a stdio server.
func childServer(t testing.TB, mode string, env ...string) *config.Server {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &config.Server{
		Name: mode, Transport: config.TransportStdio, Command: self, Isolation: config.IsolationAuto, Stderr: config.StderrPipe,
		Env: map[string]config.Secret{childMode: config.Secret(mode)}, ConnectionTimeout: 10 * time.Second, RequestTimeout: 10 * time.Second,
	}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		s.Env[name] = config.Secret(value)
	}
	return s
}

// dialChild connects to the test binary as a server; the connection is closed with the test.
func dialChild(t testing.TB, s *config.Server, opts Options, log zerolog.Logger) (*stdioConn, error) {
	t.Helper()
	opts = opts.withDefaults()
	opts.Redact = redactor(s, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := newStdioDialer(s, opts, log).dial(ctx, greeting{[]byte("{}"), gatewayInfo("test")}, &silent{})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.close(context.Background()) })
	return c.(*stdioConn), nil
}

// eventually polls for a condition.
func eventually(t testing.TB, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(limit)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: not after %v", what, limit)
		}
	}
}

// alive tells whether a process runs; one that waits to be reaped by somebody else does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return runtime.GOOS != "linux"
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func resultOf(t testing.TB, c conn, raw string) string {
	t.Helper()
	a, err := c.call(t.Context(), callOf(t, raw, &protocol.Client{}, &tape{}))
	if err != nil {
		t.Fatalf("call: %v", err)
	}
	defer a.Close()
	return string(a.Message.Result.Of(a.Message.Raw))
}

func TestStdioServesThroughGarbageOnStdout(t *testing.T) {
	for _, mode := range []string{"serve", "banner"} {
		t.Run(mode, func(t *testing.T) {
			var mu sync.Mutex
			var log bytes.Buffer
			c, err := dialChild(t, childServer(t, mode), Options{}, zerolog.New(lockedWriter{&mu, &log}))
			if err != nil {
				t.Fatal(err)
			}
			got := resultOf(t, c, plainCall)
			want := `{"content":[],"echo":{"name":"echo","_meta":{"progressToken":"2"},"arguments":{"n":9007199254740993}}}`
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			c.close(t.Context())
			if noted := strings.Contains(log.String(), `"line":"  Welcome to server!"`); noted != (mode == "banner") {
				t.Errorf("the log: %s", log.String())
			}
			if strings.Contains(log.String(), "hunter2") {
				t.Errorf("a secret in the log: %s", log.String())
			}
		})
	}
}

func TestStdioGivesTheChildOnlyItsOwn(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not for the child")
	dir := t.TempDir()
	s := childServer(t, "environ", "OWN=value")
	s.Args = []string{"; touch x", "$(id)", "`id`", "a b"}
	s.Cwd = dir
	c, err := dialChild(t, s, Options{}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Env, Args, Pipes []string
		Dir              string
	}
	if err := json.Unmarshal([]byte(resultOf(t, c, plainCall)), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Args, got.Args); diff != "" {
		t.Errorf("arguments went through a shell: %s", diff)
	}
	if !slices.Contains(got.Env, "OWN=value") || slices.ContainsFunc(got.Env, func(kv string) bool { return strings.HasPrefix(kv, "AWS_") }) {
		t.Errorf("environment %v", got.Env)
	}
	if runtime.GOOS == "linux" {
		if diff := cmp.Diff([]string{"0", "1", "2"}, got.Pipes); diff != "" {
			t.Errorf("open pipes: %s", diff)
		}
	}
	if real, _ := filepath.EvalSymlinks(dir); got.Dir != dir && got.Dir != real {
		t.Errorf("runs in %s", got.Dir)
	}
}

func TestStdioStartFailuresAreTold(t *testing.T) {
	missing := childServer(t, "serve")
	missing.Command = "no-such-program-anywhere"
	lost := childServer(t, "serve")
	lost.Cwd = filepath.Join(t.TempDir(), "gone")
	for _, tc := range []struct {
		rule   string
		server *config.Server
		code   redact.Code
		text   string
	}{
		{"a program that does not exist", missing, redact.SpawnFailed, "no-such-program-anywhere"},
		{"a folder that does not exist", lost, redact.SpawnFailed, "gone"},
		{"exits at once: code and last words, without the secret", childServer(t, "exit"), redact.Exited, "exit status 3; stderr: cannot open database"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			_, err := dialChild(t, tc.server, Options{}, zerolog.Nop())
			if err == nil {
				t.Fatal("connected")
			}
			if got := classify(err); got != tc.code {
				t.Errorf("code %s, want %s", got, tc.code)
			}
			if !strings.Contains(err.Error(), tc.text) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("text %q", err)
			}
		})
	}
}

func TestStdioMuteServerEndsWithTheContext(t *testing.T) {
	opts := Options{}.withDefaults()
	s := childServer(t, "mute")
	opts.Redact = redactor(s, nil)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, protocol.ErrTimeout)
	defer cancel()
	_, err := newStdioDialer(s, opts, zerolog.Nop()).dial(ctx, greeting{[]byte("{}"), []byte("{}")}, &silent{})
	if !errors.Is(err, protocol.ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

func TestStdioStopKillsWhatIgnoresTerm(t *testing.T) {
	t.Parallel()
	c, err := dialChild(t, childServer(t, "stubborn"), Options{}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c.close(t.Context())
	if took := time.Since(began); took < stdinGrace+termGrace || took > 8*time.Second {
		t.Errorf("took %v", took)
	}
	if alive(c.pid) {
		t.Error("still alive")
	}
	c.close(t.Context()) // again, at once
}

func TestStdioStopDoesNotWaitWhenTheContextHasEnded(t *testing.T) {
	t.Parallel()
	c, err := dialChild(t, childServer(t, "stubborn"), Options{}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	c.close(ended)
	if took := time.Since(began); took > stdinGrace {
		t.Errorf("took %v", took)
	}
	if alive(c.pid) {
		t.Error("still alive")
	}
}

func TestStdioGrandchildrenDieWithTheServer(t *testing.T) {
	t.Run("when it is stopped", func(t *testing.T) {
		c, err := dialChild(t, childServer(t, "grandchild"), Options{}, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(resultOf(t, c, plainCall))
		if err != nil || !alive(pid) {
			t.Fatalf("grandchild %d: %v", pid, err)
		}
		c.close(t.Context())
		eventually(t, "grandchild is dead", 2*time.Second, func() bool { return !alive(pid) })
	})
	t.Run("when it is killed", func(t *testing.T) {
		c, err := dialChild(t, childServer(t, "grandchild"), Options{}, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(resultOf(t, c, plainCall))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(c.pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c.done():
		case <-time.After(5 * time.Second):
			t.Fatal("the connection has not ended")
		}
		eventually(t, "grandchild is dead", 2*time.Second, func() bool { return !alive(pid) })
		if got := classify(c.err()); got != redact.Exited {
			t.Errorf("code %s: %v", got, c.err())
		}
	})
	t.Run("when it ends by itself", func(t *testing.T) {
		_, err := dialChild(t, childServer(t, "orphan"), Options{}, zerolog.Nop())
		var exit *exitError
		if !errors.As(err, &exit) {
			t.Fatalf("got %v", err)
		}
		pid, err := strconv.Atoi(strings.TrimPrefix(exit.stderr, "pid "))
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "grandchild is dead", 2*time.Second, func() bool { return !alive(pid) })
	})
}

func TestStdioEndlessLineEndsTheConnection(t *testing.T) {
	c, err := dialChild(t, childServer(t, "endless"), Options{MaxMessage: 1 << 20}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.call(t.Context(), callOf(t, plainCall, &protocol.Client{}, &tape{}))
	if !errors.Is(err, protocol.ErrTooLarge) || !errors.Is(err, protocol.ErrLost) {
		t.Errorf("got %v", err)
	}
}

func TestStdioChildThatStopsReadingMakesCallersBusyAndHeals(t *testing.T) {
	until := filepath.Join(t.TempDir(), "until")
	c, err := dialChild(t, childServer(t, "deaf", "DEAF_UNTIL="+until), Options{}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Replace(plainCall, `"n":`, `"pad":"`+strings.Repeat("x", 1<<20)+`","n":`, 1)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var busy, served int
	for range 12 { // 12 MiB: more than outbox and pipe hold
		wg.Go(func() {
			a, err := c.call(t.Context(), callOf(t, big, &protocol.Client{}, &tape{}))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, protocol.ErrBusy):
				busy++
				_ = os.WriteFile(until, nil, 0o600) // now it goes on
			case err != nil:
				t.Error(err)
			default:
				served++
				a.Close()
			}
		})
	}
	wg.Wait()
	if busy == 0 || served == 0 || busy+served != 12 {
		t.Errorf("%d busy, %d served", busy, served)
	}
	if got := resultOf(t, c, plainCall); got == "" {
		t.Error("no answer afterwards")
	}
}

func TestStdioFloodOnStderrIsBoundedInTheLog(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	c, err := dialChild(t, childServer(t, "flood"), Options{}, zerolog.New(lockedWriter{&mu, &log}))
	if err != nil {
		t.Fatal(err)
	}
	if got := resultOf(t, c, plainCall); got == "" {
		t.Error("no answer during the flood")
	}
	logged := func() int {
		mu.Lock()
		defer mu.Unlock()
		return strings.Count(log.String(), "server wrote to stderr")
	}
	eventually(t, "the flood has begun", 5*time.Second, func() bool { return logged() >= stderrDistinct })
	resultOf(t, c, plainCall)
	c.close(t.Context())
	if lines := logged(); lines > 3*stderrDistinct {
		t.Errorf("%d lines in the log", lines)
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(log.String(), `"left_out":`) {
		t.Error("nothing says that lines were left out")
	}
}

func TestStdioLeavesNoGoroutines(t *testing.T) {
	for _, mode := range []string{"serve", "exit", "banner"} {
		if c, err := dialChild(t, childServer(t, mode), Options{}, zerolog.Nop()); err == nil {
			resultOf(t, c, plainCall)
			c.close(t.Context())
		}
	}
	eventually(t, "no goroutine of a connection is left", 5*time.Second, func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for _, own := range []string{"(*outbox).run", "(*process).watch", "(*stderrLog).run", "(*mux).run"} {
			if bytes.Contains(stacks, []byte(own)) {
				return false
			}
		}
		return true
	})
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func TestKillingTheGatewayLeavesNoChild(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux kills the children of a process that dies")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	inherited, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), childMode+"=parent")
	parent.ExtraFiles = []*os.File{inherited}
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(out); len(pids) < 2 && lines.Scan(); {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil || !alive(pid) {
			t.Fatalf("parent printed %q", lines.Text())
		}
		pids = append(pids, pid)
		if diff := cmp.Diff([]string{"0", "1", "2"}, openPipes(strconv.Itoa(pid))); diff != "" {
			t.Errorf("the child inherits what its gateway was given: %s", diff)
		}
	}
	if len(pids) != 2 {
		t.Fatalf("parent started %d children", len(pids))
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	eventually(t, "children are dead", 5*time.Second, func() bool { return !alive(pids[0]) && !alive(pids[1]) })
}

func TestPrintableTakesTerminalControlsAway(t *testing.T) {
	for _, tc := range []struct{ rule, in, want string }{
		{"colours", "\x1b[31;1mred\x1b[0m", "red"},
		{"clipboard by OSC 52", "a\x1b]52;c;aGk=\x07b", "ab"},
		{"title by OSC with ST", "a\x1b]0;title\x1b\\b", "ab"},
		{"an OSC that never ends", "a\x1b]0;title", "a"},
		{"DCS", "a\x1bPq#0\x1b\\b", "ab"},
		{"two-character escapes", "a\x1bcb", "ab"},
		{"controls", "a\x00\x07\x08\rb\tc\x7f", "ab c"},
		{"C1 controls", "a\u009b31mb", "a31mb"},
		{"invalid UTF-8", "a\xffb", "a\ufffdb"},
		{"bidirectional overrides", "a\u202eb\u2066c", "abc"},
	} {
		if got := printable([]byte(tc.in)); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.rule, got, tc.want)
		}
	}
}
