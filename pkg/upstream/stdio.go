package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/redact"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// stdioDialer starts one child process per connection.
type stdioDialer struct {
	cmd      command
	stderr   config.Stderr
	opts     Options
	guardian *guardian
	log      zerolog.Logger
}

func (d *stdioDialer) dial(ctx context.Context, g greeting, ev events) (conn, error) {
	p, err := d.open()
	if err != nil {
		return nil, err
	}
	m, err := dialMux(ctx, p, g, ev, p.log)
	if err != nil {
		return nil, p.explain(err)
	}
	return &stdioConn{mux: m, pid: p.proc.pid}, nil
}

// stdioConn is a mux that knows its process.
type stdioConn struct {
	*mux
	pid int
}

// processID implements the optional interface by which an upstream learns the pid for its status.
func (c *stdioConn) processID() int { return c.pid }

// stdioPipe is a child process as a pipe (2025-11-25 transports, "stdio"): one message per line each way, stderr is log.
type stdioPipe struct {
	proc  *process
	out   *outbox
	lines *wire.LineReader
	errs  *stderrLog
	log   zerolog.Logger

	skipped     uint64
	stderrEnded chan struct{}
}

// open starts a child with its writer and stderr goroutines; close ends all three.
func (d *stdioDialer) open() (*stdioPipe, error) {
	proc, err := startProcess(d.cmd, d.guardian)
	if err != nil {
		return nil, err
	}
	log := d.log.With().Int("pid", proc.pid).Logger()
	p := &stdioPipe{
		proc:        proc,
		out:         newOutbox(proc.stdin),
		lines:       wire.NewLineReader(proc.stdout, d.opts.MaxMessage),
		errs:        newStderrLog(proc.stderr, log, d.opts.Redact),
		log:         log,
		stderrEnded: make(chan struct{}),
	}
	switch d.stderr {
	case config.StderrInherit:
		p.errs.copy = os.Stderr
	case config.StderrIgnore:
		p.errs.log = zerolog.Nop()
	}
	go p.out.run()
	go func() {
		defer close(p.stderrEnded)
		p.errs.run()
	}()
	log.Debug().Msg("server process started")
	return p, nil
}

// send implements pipe.
func (p *stdioPipe) send(ctx context.Context, msg []byte) error { return p.out.send(ctx, msg) }

// recv implements pipe. Lines that cannot be a message (a banner, a log line) are skipped.
func (p *stdioPipe) recv() ([]byte, error) {
	for {
		line, err := p.lines.Next()
		if err != nil {
			return nil, p.ending(err)
		}
		if c := firstByte(line); c == '{' || c == '[' {
			return line, nil
		}
		if p.skipped++; p.skipped&(p.skipped-1) == 0 { // 1st, 2nd, 4th, 8th …: a flood stays readable
			p.log.Debug().Uint64("skipped", p.skipped).Str("line", p.errs.redact(printable(line[:min(len(line), maxServerText)]))).
				Msg("server wrote something to stdout that is no message")
		}
	}
}

// firstByte gives the first byte that is not white space.
func firstByte(line []byte) byte {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

// ending says why stdout ended: a line too large, or the end of the process with its last words.
func (p *stdioPipe) ending(err error) error {
	if errors.Is(err, wire.ErrTooLarge) {
		return fmt.Errorf("%w: a line on stdout", protocol.ErrTooLarge)
	}
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-p.proc.exited:
		return p.exitError()
	case <-t.C:
	}
	if errors.Is(err, io.EOF) {
		return errors.New("server closed its stdout")
	}
	return fmt.Errorf("read stdout: %w", err)
}

// exitError describes the end of the process. Its text holds the server's own words and is for the operator only.
func (p *stdioPipe) exitError() error {
	select {
	case <-p.stderrEnded:
	case <-time.After(2 * drainGrace):
	}
	e := &exitError{state: p.proc.state.String(), stderr: p.errs.tail()}
	return e
}

// exitError is the end of a server process by itself.
type exitError struct{ state, stderr string }

// RedactCode implements the interface by which redact.Classify knows the code.
func (e *exitError) RedactCode() redact.Code { return redact.Exited }

func (e *exitError) Error() string {
	if e.stderr == "" {
		return "server process ended: " + e.state
	}
	return "server process ended: " + e.state + "; stderr: " + e.stderr
}

// explain adds the server's last words to a failed start.
func (p *stdioPipe) explain(err error) error {
	var exit *exitError
	if tail := p.errs.tail(); tail != "" && !errors.As(err, &exit) {
		return fmt.Errorf("%w; stderr: %s", err, tail)
	}
	return err
}

// close implements pipe: the process is stopped and its goroutines are waited for.
func (p *stdioPipe) close(ctx context.Context) {
	p.out.stop(errors.New("connection is being closed"))
	p.proc.stop(ctx)
	<-p.out.finished
	<-p.stderrEnded
	_ = p.proc.stdout.Close()
}
