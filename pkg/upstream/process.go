package upstream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/manifold-mcp/manifold/pkg/redact"
)

// Times of stopping a process, in this order (security-reliability: close stdin, TERM the group, KILL the group, reap).
const (
	stdinGrace = 2 * time.Second        // from closing stdin to TERM
	termGrace  = 3 * time.Second        // from TERM to KILL
	killGrace  = 5 * time.Second        // from KILL until the process is given up as unkillable (a disk that hangs)
	drainGrace = 500 * time.Millisecond // for reading what a process that has ended left in its pipes
)

// command is what is run: a program without a shell, with exactly this environment.
type command struct {
	path string
	args []string
	env  []string
	dir  string
}

// process is a running child: the leader of a process group of its own. Nothing of the gateway is inherited but the three
// pipes. When the leader ends, for whatever reason, its whole group is killed and it is reaped at once.
type process struct {
	stdin          *os.File
	stdout, stderr *os.File
	pid            int
	group          group
	guardian       *guardian

	exited chan struct{} // closed when the leader is reaped and its group killed; state is set before
	state  *os.ProcessState

	mu       sync.Mutex
	gone     bool // no signal may be sent any more: the pid can belong to somebody else
	stopping sync.Once
}

// startProcess starts a child in sight of the guardian.
func startProcess(c command, g *guardian) (*process, error) {
	if len(c.env) == 0 {
		c.env = []string{} // nil would mean the gateway's whole environment
	}
	path, err := findProgram(c.path, c.env)
	if err != nil {
		return nil, redact.WithCode(fmt.Errorf("start %s: %w", c.path, err), redact.SpawnFailed)
	}
	cmd := &exec.Cmd{Path: path, Args: append([]string{c.path}, c.args...), Env: c.env, Dir: c.dir, SysProcAttr: groupAttr()}
	if info, err := os.Stat(c.dir); c.dir != "" && (err != nil || !info.IsDir()) { // the kernel would blame the program
		return nil, redact.WithCode(fmt.Errorf("start %s: no such working directory: %s", c.path, c.dir), redact.SpawnFailed)
	}
	keepFiles()
	p := &process{guardian: g, exited: make(chan struct{})}
	theirs, err := p.pipes(cmd)
	if err != nil {
		return nil, err
	}
	g.prepare()
	started := make(chan error, 1)
	go p.watch(cmd, started)
	err = <-started
	closeAll(theirs...)
	if err != nil {
		closeAll(p.stdin, p.stdout, p.stderr)
		return nil, redact.WithCode(fmt.Errorf("start %s: %w", c.path, err), redact.SpawnFailed)
	}
	return p, nil
}

// pipes makes the three pipes; it returns the child's ends.
func (p *process) pipes(cmd *exec.Cmd) ([]*os.File, error) {
	var all []*os.File
	pair := func() (r, w *os.File, err error) {
		if r, w, err = os.Pipe(); err == nil {
			all = append(all, r, w)
		}
		return r, w, err
	}
	inR, inW, err1 := pair()
	outR, outW, err2 := pair()
	errR, errW, err3 := pair()
	if err := errors.Join(err1, err2, err3); err != nil {
		closeAll(all...)
		return nil, fmt.Errorf("make pipes: %w", err)
	}
	p.stdin, p.stdout, p.stderr = inW, outR, errR
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, errW
	return []*os.File{inR, outW, errW}, nil
}

// watch starts the process and waits for its end. It keeps one thread for all of that time: Linux sends the death signal when
// the thread that forked ends, not the process.
func (p *process) watch(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	p.guardian.add(p.pid)
	p.group = newGroup(cmd.Process)
	started <- nil

	unreaped := awaitExit(p.pid)
	if unreaped { // until it is reaped, the group's number is nobody else's
		p.end()
	}
	_ = cmd.Wait()
	if !unreaped {
		p.end()
	}
	p.group.release()
	p.state = cmd.ProcessState
	close(p.exited)
	expire(p.stdout)
	expire(p.stderr)
}

// expire lets a reader take what is left in a pipe but not wait for a process that has left the group and keeps it open.
func expire(f *os.File) {
	if err := f.SetReadDeadline(time.Now().Add(drainGrace)); err != nil {
		_ = f.Close() // closed already, or no deadlines on this system
	}
}

// stop ends the process in order and waits for it; when ctx ends, the group is killed at once. It may be called by many and
// more than once: all wait for the end.
func (p *process) stop(ctx context.Context) {
	p.stopping.Do(func() {
		_ = p.stdin.Close()
		if p.wait(ctx, stdinGrace) {
			return
		}
		p.signal(group.terminate)
		if p.wait(ctx, termGrace) {
			return
		}
		p.signal(group.kill)
		p.wait(context.Background(), killGrace)
	})
}

// signal acts on the group unless the leader has been reaped.
func (p *process) signal(act func(group)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		act(p.group)
	}
}

// end kills what is left of the group and ends all signalling, here and by the guardian.
func (p *process) end() {
	p.signal(group.kill)
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	p.guardian.remove(p.pid)
}

func (p *process) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.exited:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
