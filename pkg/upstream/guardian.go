package upstream

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// guardianName is what process lists show. It has nothing of the gateway's own name, so that who kills that by name leaves
	// the guardian alone.
	guardianName     = "manifold-guard" // Linux keeps 15 bytes
	guardianStable   = 10 * time.Second // one that lasted that long is replaced at once
	guardianPatience = time.Second      // for it to take a line, and to end
)

// guardian is the gateway's end of a process that outlives it by a moment: it ends the children's groups when the gateway is
// killed and can end nothing itself. (The kernel's death signal reaches the leaders of the groups only, and only on Linux.)
//
// The process knows the gateway by the pipe that is its stdin, whose other end nobody else has: "+7\n" says that group 7 has
// started, "-7\n" that it has been killed, the end of the pipe that the gateway is gone. It is started before the first child,
// and again if it ends. Without it the gateway works all the same.
//
// A nil guardian does nothing.
type guardian struct {
	line []string
	log  zerolog.Logger
	quit chan struct{} // closed by close

	mu      sync.Mutex
	groups  map[int]struct{} // what runs
	pipe    *os.File         // nil while there is no process
	process *os.Process      // the latest; nil before the first
	kept    chan struct{}    // closed when keep has returned; nil before the first child
	closed  bool
}

// newGuardian makes a guardian that is started by a command line; nil where none is needed.
func newGuardian(line []string, log zerolog.Logger) *guardian {
	if len(line) == 0 || !guarded {
		return nil
	}
	return &guardian{line: line, log: log, quit: make(chan struct{}), groups: map[int]struct{}{}}
}

// prepare is called before a child is started: the guardian stands first.
func (g *guardian) prepare() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.kept == nil && !g.closed {
		g.kept = make(chan struct{})
		cmd, err := g.start()
		go g.keep(cmd, err)
	}
}

// add says that a group has started.
func (g *guardian) add(id int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.groups[id] = struct{}{}
	g.tell('+', id)
}

// remove says that a group has been killed. Where that can be had it is called before the leader is reaped: until then the
// number cannot be anybody else's, so there is no moment at which a stranger could be killed.
func (g *guardian) remove(id int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.groups, id)
	g.tell('-', id)
}

// tell writes a line. A process that does not take it is killed, and keep starts another. The caller holds mu.
func (g *guardian) tell(what byte, id int) {
	if g.pipe == nil {
		return
	}
	_ = g.pipe.SetWriteDeadline(time.Now().Add(guardianPatience))
	if _, err := fmt.Fprintf(g.pipe, "%c%d\n", what, id); err != nil {
		g.kill()
	}
}

// kill ends the process, which must not read the end of its pipe before. The caller holds mu.
func (g *guardian) kill() {
	_ = g.process.Kill()
	g.drop()
}

// drop closes the pipe. The caller holds mu.
func (g *guardian) drop() {
	if g.pipe != nil {
		_ = g.pipe.Close()
		g.pipe = nil
	}
}

// start starts the process and tells it what runs. The caller holds mu.
func (g *guardian) start() (*exec.Cmd, error) {
	keepFiles()
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{
		Path: g.line[0], Args: append([]string{guardianName}, g.line[1:]...), Stdin: theirs,
		Env: []string{"GOMAXPROCS=1"}, Dir: string(os.PathSeparator), SysProcAttr: guardianAttr(),
	}
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	g.pipe, g.process = ours, cmd.Process
	for id := range g.groups {
		g.tell('+', id)
	}
	return cmd, nil
}

// keep waits for the process and starts it again, until close. It takes what start gave the first time.
func (g *guardian) keep(cmd *exec.Cmd, err error) {
	defer close(g.kept)
	var retry backoff
	for {
		begun := time.Now()
		if err == nil {
			err = cmd.Wait()
		}
		g.mu.Lock()
		g.drop()
		closed := g.closed
		g.mu.Unlock()
		if closed {
			return
		}
		level, pause := zerolog.WarnLevel, time.Duration(0)
		if time.Since(begun) >= guardianStable {
			retry.failures = 0
		} else if pause = retry.next(); retry.failures > 1 {
			level = zerolog.DebugLevel // it has been said
		}
		g.log.WithLevel(level).AnErr("cause", err).
			Msg("guardian does not run: should the gateway be killed now, processes that servers have started may stay")
		select {
		case <-time.After(pause):
		case <-g.quit:
			return
		}
		g.mu.Lock()
		if !g.closed {
			cmd, err = g.start()
		}
		g.mu.Unlock()
	}
}

// close ends the process and waits for it. It is called when all children have ended; a group that could not be killed gets
// its last signal from this.
func (g *guardian) close() {
	if g == nil {
		return
	}
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.quit)
		g.drop()
	}
	kept, process := g.kept, g.process
	g.mu.Unlock()
	if kept == nil {
		return
	}
	t := time.NewTimer(guardianPatience)
	defer t.Stop()
	select {
	case <-kept:
		return
	case <-t.C:
	}
	if process != nil {
		_ = process.Kill()
	}
	<-kept
}

// RunGuardian is the guardian's process. It reads from the pipe that the gateway holds until that ends, and then kills all
// groups that run. It takes no notice of the signals that ask the gateway to end.
func RunGuardian(pipe io.Reader) error {
	becomeGuardian()
	left, err := readGroups(pipe)
	if err != nil {
		return fmt.Errorf("guardian: %w", err)
	}
	for id := range left {
		killGroup(id)
	}
	return nil
}

// readGroups gives the groups that are left at the end. A line that was cut off counts for nothing: half a number is another
// number.
func readGroups(pipe io.Reader) (map[int]struct{}, error) {
	groups := map[int]struct{}{}
	lines := bufio.NewReader(pipe)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return groups, nil
		}
		if err != nil {
			return nil, err
		}
		// To signal group 0 is to signal one's own, group 1 everybody.
		id, err := strconv.Atoi(strings.TrimSpace(line[1:]))
		if err != nil || id <= 1 {
			continue
		}
		switch line[0] {
		case '+':
			groups[id] = struct{}{}
		case '-':
			delete(groups, id)
		}
	}
}
