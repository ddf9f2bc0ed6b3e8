package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// modeVariable makes this program one of the processes of a run; see main.
const modeVariable = "MANIFOLD_BENCH_MODE"

// child is a process of a run.
type child struct {
	cmd   *exec.Cmd
	probe string
	// addr is what it serves on.
	addr string
	done chan struct{}
}

// launch starts a child and gives it an address to be probed at. Its standard error goes to the file.
func launch(path string, args, env []string, stdout io.Writer, stderr *os.File) (*child, error) {
	port, err := testkit.FindPort()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(path, args...), probe: fmt.Sprintf("127.0.0.1:%d", port), done: make(chan struct{})}
	c.cmd.Env = append(append(os.Environ(), env...), benchProbeVariable+"="+c.probe)
	c.cmd.Stdout, c.cmd.Stderr = stdout, stderr
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.done)
		_ = c.cmd.Wait()
	}()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// ended tells whether the child has ended by itself.
func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// stop ends the child, in order if it knows how to.
func (c *child) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(15 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// startSelf starts this program in a serving mode and waits until it tells its address.
func startSelf(mode string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	c, err := launch(self, args, []string{modeVariable + "=" + mode}, w, os.Stderr)
	_ = w.Close()
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		c.stop()
		return nil, fmt.Errorf("%s told no address: %w", mode, err)
	}
	c.addr = strings.TrimSpace(line)
	return c, nil
}

// runLoad runs a job in a load process.
func runLoad(j job) (outcome, error) {
	var o outcome
	self, err := os.Executable()
	if err != nil {
		return o, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return o, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), modeVariable+"=load")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return o, fmt.Errorf("load on %s%s: %w", j.Addr, j.Path, err)
	}
	if err := json.Unmarshal(out, &o); err != nil {
		return o, err
	}
	if o.Calls == 0 {
		return o, errors.New("the load made no call")
	}
	return o, nil
}
