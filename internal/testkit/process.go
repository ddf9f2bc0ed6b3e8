package testkit

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Process is a child process with its standard error collected.
type Process struct {
	// Stdin and Stdout are the child's; nil unless it was started with pipes.
	Stdin  *os.File
	Stdout *os.File

	cmd    *exec.Cmd
	stderr *os.File
	log    tail
	done   chan struct{}
}

// Program says what to start.
type Program struct {
	Path string
	Args []string
	// Env is the whole environment; nil means the one of the test.
	Env []string
	Dir string
	// Pipes connects Stdin and Stdout.
	Pipes bool
}

// Start starts the program in a process group of its own. The caller ends it with Kill or by a signal and Wait.
func (p Program) Start() (*Process, error) {
	proc := &Process{cmd: exec.Command(p.Path, p.Args...), done: make(chan struct{})}
	proc.cmd.Env, proc.cmd.Dir = p.Env, p.Dir
	proc.cmd.SysProcAttr = ownGroup()
	// Pipes of our own rather than exec's: Wait must return when the process has ended, whoever else holds a descriptor.
	var theirs []*os.File
	pipe := func(mine **os.File, read bool) (*os.File, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		if read {
			*mine = r
			theirs = append(theirs, w)
			return w, nil
		}
		*mine = w
		theirs = append(theirs, r)
		return r, nil
	}
	fail := func(err error) (*Process, error) {
		for _, f := range append(theirs, proc.Stdin, proc.Stdout, proc.stderr) {
			if f != nil {
				_ = f.Close()
			}
		}
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	f, err := pipe(&proc.stderr, true)
	if err != nil {
		return fail(err)
	}
	proc.cmd.Stderr = f
	if p.Pipes {
		if f, err = pipe(&proc.Stdin, false); err != nil {
			return fail(err)
		}
		proc.cmd.Stdin = f
		if f, err = pipe(&proc.Stdout, true); err != nil {
			return fail(err)
		}
		proc.cmd.Stdout = f
	}
	if err := proc.cmd.Start(); err != nil {
		return fail(err)
	}
	for _, f := range theirs {
		_ = f.Close()
	}
	go func() { _, _ = io.Copy(&proc.log, proc.stderr) }()
	go func() {
		_ = proc.cmd.Wait()
		close(proc.done)
	}()
	return proc, nil
}

// PID is the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Log gives the last part of what the child wrote to standard error.
func (p *Process) Log() string { return p.log.String() }

// Signal sends s to the child alone, not to its group.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Terminate asks the child to end (SIGTERM).
func (p *Process) Terminate() error { return p.Signal(syscall.SIGTERM) }

// Wait waits for the end of the child, at most so long. It gives the exit code (-1 after a signal) and whether it ended.
func (p *Process) Wait(within time.Duration) (code int, ended bool) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), true
	case <-time.After(within):
		return 0, false
	}
}

// Kill ends the child at once, as the kernel's out-of-memory killer would, and reaps it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Stop asks the child to end (SIGTERM) and kills it when it has not done so within the time.
func (p *Process) Stop(within time.Duration) (code int, inTime bool) {
	_ = p.Terminate()
	code, inTime = p.Wait(within)
	if !inTime {
		p.Kill()
	}
	return code, inTime
}

// Close kills the child and all of its group that is left, and closes the pipes.
func (p *Process) Close() {
	killGroup(p.PID())
	p.Kill()
	for _, f := range []*os.File{p.Stdin, p.Stdout, p.stderr} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// tail keeps the last bytes written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 256 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.ToValidUTF8(t.buf, []byte("?")))
}
