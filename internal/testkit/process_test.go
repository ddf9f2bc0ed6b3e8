package testkit

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// childVariable makes the test binary a child that says a word and waits for the end of its input.
const childVariable = "MANIFOLD_TESTKIT_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		_, _ = os.Stderr.WriteString("here\n")
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(3)
	}
	os.Exit(m.Run())
}

func TestProcess(t *testing.T) {
	t.Parallel()
	p, err := Program{Path: os.Args[0], Env: append(os.Environ(), childVariable+"=1"), Pipes: true}.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	Until(t, 10*time.Second, "the child's word", func() bool { return strings.Contains(p.Log(), "here") })
	if !Alive(p.PID()) {
		t.Error("a running child is not alive")
	}
	if runtime.GOOS == "linux" {
		u, err := UsageOf(p.PID())
		if err != nil || u.RSS <= 0 || u.PeakRSS < u.RSS {
			t.Errorf("usage %+v (%v)", u, err)
		}
	}
	if _, ended := p.Wait(time.Millisecond); ended {
		t.Error("a running child has ended")
	}
	_ = p.Stdin.Close()
	if code, ended := p.Wait(10 * time.Second); !ended || code != 3 {
		t.Errorf("exit code %d, ended %t; want 3", code, ended)
	}
	if runtime.GOOS != "windows" && Alive(p.PID()) {
		t.Error("an ended child is alive")
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var l tail
	for range 3 {
		_, _ = l.Write([]byte(strings.Repeat("x", tailSize)))
	}
	_, _ = l.Write([]byte("end"))
	if s := l.String(); len(s) != tailSize || !strings.HasSuffix(s, "xend") {
		t.Errorf("kept %d bytes ending in %q", len(s), s[len(s)-4:])
	}
}

func TestPoll(t *testing.T) {
	t.Parallel()
	n := 0
	if !Poll(10*time.Second, func() bool { n++; return n == 3 }) || n != 3 {
		t.Errorf("asked %d times", n)
	}
	if Poll(20*time.Millisecond, func() bool { return false }) {
		t.Error("what is never true was")
	}
}
