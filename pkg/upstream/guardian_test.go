//go:build unix

package upstream

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
)

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// testGuardian is a guardian whose process is the test binary; it is closed with the test.
func testGuardian(t testing.TB) *guardian {
	t.Helper()
	g := newGuardian([]string{self(t), guardArg}, zerolog.Nop())
	t.Cleanup(g.close)
	return g
}

// pid of the process that stands now, 0 if none.
func (g *guardian) pid() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pipe == nil {
		return 0
	}
	return g.process.Pid
}

// startChild starts the test binary as a child in sight of g; it is killed with the test.
func startChild(t testing.TB, g *guardian, mode string) *process {
	t.Helper()
	p, err := startProcess(command{path: self(t), env: []string{childMode + "=" + mode}}, g)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.signal(group.kill)
		<-p.exited
		closeAll(p.stdin, p.stdout, p.stderr)
	})
	return p
}

// awaitName waits until a guardian has its name, and so is deaf to signals already; only Linux can tell.
func awaitName(t *testing.T, pid int) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	eventually(t, "the guardian has its name", 5*time.Second, func() bool {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return string(name) == guardianName+"\n"
	})
}

// startGuarded starts a gateway of its own that has a guardian, and gives the pids of all.
func startGuarded(t *testing.T) (*exec.Cmd, map[string]int) {
	t.Helper()
	gateway := exec.Command(self(t))
	gateway.Env = append(os.Environ(), childMode+"=guarded")
	gateway.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := gateway.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	pids := map[string]int{}
	t.Cleanup(func() {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	for lines := bufio.NewScanner(out); len(pids) < 3 && lines.Scan(); {
		name, number, _ := strings.Cut(lines.Text(), " ")
		pid, err := strconv.Atoi(number)
		if err != nil || !alive(pid) {
			t.Fatalf("the gateway printed %q", lines.Text())
		}
		pids[name] = pid
	}
	if len(pids) != 3 {
		t.Fatalf("the gateway started only %v", pids)
	}
	return gateway, pids
}

func TestGuardianEndsWhatAKilledGatewayLeaves(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rule string
		kill func(gateway int) error
	}{
		{"the gateway alone is killed", func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }},
		{"its whole group is killed", func(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			gateway, pids := startGuarded(t)
			awaitName(t, pids["guardian"])
			for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
				if err := syscall.Kill(pids["guardian"], sig); err != nil {
					t.Fatal(err)
				}
			}
			if err := tc.kill(gateway.Process.Pid); err != nil {
				t.Fatal(err)
			}
			_ = gateway.Wait()
			for name, pid := range pids {
				eventually(t, name+" has ended", 5*time.Second, func() bool { return !alive(pid) })
			}
		})
	}
}

func TestGuardianHoldsNothingAndIsHeldByNobodyElse(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows the files of another process")
	}
	t.Parallel()
	gateway, pids := startGuarded(t)
	got := map[string][]string{}
	for name, pid := range pids {
		got[name] = openPipes(strconv.Itoa(pid))
	}
	want := map[string][]string{"child": {"0", "1", "2"}, "grandchild": {"0", "1", "2"}, "guardian": {"0"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("open pipes: %s", diff)
	}
	awaitName(t, pids["guardian"])
	if environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pids["guardian"])); err != nil || string(environ) != "GOMAXPROCS=1\x00" {
		t.Errorf("the guardian's environment is %q: %v", environ, err)
	}
	_ = gateway.Process.Kill()
	_ = gateway.Wait()
}

func TestGuardianThatIsKilledIsReplacedAndKnowsAll(t *testing.T) {
	t.Parallel()
	g := testGuardian(t)
	if g.pid() != 0 {
		t.Fatal("it runs before there is anything to guard")
	}
	before := startChild(t, g, "sleep")
	first := g.pid()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another stands", 10*time.Second, func() bool { pid := g.pid(); return pid != 0 && pid != first })
	after := startChild(t, g, "sleep")
	g.close() // as if the gateway were gone: both still run
	for name, p := range map[string]*process{"started before": before, "started after": after} {
		select {
		case <-p.exited:
		case <-time.After(5 * time.Second):
			t.Errorf("the child %s still runs", name)
		}
	}
}

func TestGuardianThatHangsIsReplaced(t *testing.T) {
	t.Parallel()
	g := testGuardian(t)
	child := startChild(t, g, "sleep")
	first := g.pid()
	if err := syscall.Kill(first, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 1 << 15 { // more than a pipe holds
		g.remove(1 << 30)
		if g.pid() != first {
			break
		}
	}
	eventually(t, "another stands", 10*time.Second, func() bool { pid := g.pid(); return pid != 0 && pid != first })
	g.close()
	select {
	case <-child.exited:
	case <-time.After(5 * time.Second):
		t.Error("the new one does not know the child")
	}
}

func TestGuardianForgetsWhatHasEndedAndEndsLast(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rule string
		sig  syscall.Signal
	}{
		{"one that listens ends with its pipe", 0},
		{"one that hangs is not waited for", syscall.SIGSTOP},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			g := testGuardian(t)
			child := startChild(t, g, "sleep")
			if _, known := g.groups[child.pid]; !known {
				t.Error("a child runs unseen")
			}
			child.signal(group.kill)
			<-child.exited
			if len(g.groups) != 0 {
				t.Errorf("still guarded: %v", g.groups)
			}
			pid := g.pid()
			if err := syscall.Kill(pid, tc.sig); err != nil {
				t.Fatal(err)
			}
			g.close()
			if alive(pid) {
				t.Error("it still runs after close")
			}
			g.prepare()
			if g.pid() != 0 {
				t.Error("started again after close")
			}
		})
	}
}

func TestGuardianThatCannotStartIsOneWarning(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var log bytes.Buffer
	g := newGuardian([]string{"/no/such/program"}, zerolog.New(lockedWriter{&mu, &log}))
	defer g.close()
	child := startChild(t, g, "sleep")
	if !alive(child.pid) {
		t.Error("the child does not run")
	}
	read := func() string {
		mu.Lock()
		defer mu.Unlock()
		return log.String()
	}
	eventually(t, "it was tried again", 10*time.Second, func() bool { return strings.Count(read(), "\n") >= 2 })
	if warnings := strings.Count(read(), `"level":"warn"`); warnings != 1 {
		t.Errorf("%d warnings: %s", warnings, read())
	}
}

func TestManagerStartsNoGuardianWithoutAChild(t *testing.T) {
	server := config.Server{Name: "far", Transport: config.TransportHTTP, URL: "http://127.0.0.1:1/mcp"}
	m := New([]config.Server{server}, Options{Guard: []string{self(t), guardArg}}, deaf{}, zerolog.Nop())
	ended := make(chan error)
	go func() { ended <- m.Run(t.Context()) }()
	<-m.Upstreams()[0].Settled()
	m.Close()
	if err := <-ended; err != nil || m.guardian.kept != nil {
		t.Errorf("%v; a guardian was started: %t", err, m.guardian.kept != nil)
	}
}

func TestGuardianReadsOnlyWholeLinesAboutGroups(t *testing.T) {
	for _, tc := range []struct {
		rule, in string
		want     map[int]struct{}
	}{
		{"nothing", "", map[int]struct{}{}},
		{"started", "+7\n+8\n", map[int]struct{}{7: {}, 8: {}}},
		{"started and killed", "+7\n+8\n-7\n", map[int]struct{}{8: {}}},
		{"a number that came again", "+7\n-7\n+7\n", map[int]struct{}{7: {}}},
		{"told twice, by the one before and at the start", "+7\n+7\n-7\n", map[int]struct{}{}},
		{"cut off", "+7\n+1234", map[int]struct{}{7: {}}},
		{"never its own group, everybody, or one process", "+0\n+1\n+-7\n", map[int]struct{}{}},
		{"anything else", "\n7\nx7\n+\n+x\n+7 8\n+99999999999999999999\n", map[int]struct{}{}},
	} {
		got, err := readGroups(strings.NewReader(tc.in))
		if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", tc.rule, err, diff)
		}
	}
}
