package upstream

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/protocol"
)

// childMain is the test binary as a server process with the habits that its mode names.
func childMain(mode string) {
	switch mode {
	case "serve":
		serveStdio(nil)
	case "exit":
		fmt.Fprintln(os.Stderr, "cannot open database: password=hunter2-secret")
		os.Exit(3)
	case "stubborn": // ignores TERM and the end of stdin
		signal.Ignore(syscall.SIGTERM)
		serveStdio(nil)
		select {}
	case "grandchild":
		serveStdio(func(p *peer, m envelope) bool {
			if m.Method == protocol.ToolsCall {
				p.reply(m.ID, fmt.Sprint(spawnStubborn()))
			}
			return m.Method == protocol.ToolsCall
		})
	case "family": // as stubborn as its grandchild
		signal.Ignore(syscall.SIGTERM)
		fmt.Fprintf(os.Stderr, "grandchild %d\n", spawnStubborn())
		serveStdio(nil)
		select {}
	case "orphan": // leaves a grandchild behind that holds all pipes, and ends by itself
		fmt.Fprintf(os.Stderr, "pid %d\n", spawnStubborn())
	case "sleep":
		signal.Ignore(syscall.SIGTERM)
		select {}
	case "flood":
		go func() {
			line := bytes.Repeat([]byte("flood "), 200)
			for i := range 50_000 {
				fmt.Fprintf(os.Stderr, "%d %s\n", i, line)
			}
			fmt.Fprintln(os.Stderr, "end of flood")
		}()
		serveStdio(nil)
	case "banner":
		fmt.Print("\n  Welcome to \x1b[31mserver\x1b[0m!\r\npassword=hunter2-secret\n[INFO] listening\n{\"level\":\"info\"}\n\x1b]52;c;aGk=\x07\xff\xfe\x00\n\"text\"\n42\n")
		serveStdio(nil)
	case "endless":
		serveStdio(func(_ *peer, m envelope) bool {
			if m.Method == protocol.ToolsCall {
				chunk := bytes.Repeat([]byte("x"), 64<<10)
				for {
					_, _ = os.Stdout.Write(chunk)
				}
			}
			return false
		})
	case "mute":
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "deaf": // answers initialize, then reads nothing more until a file of the name in DEAF_UNTIL appears
		serveStdio(func(p *peer, m envelope) bool {
			if m.Method == protocol.Initialized {
				for {
					if _, err := os.Stat(os.Getenv("DEAF_UNTIL")); err == nil {
						return true
					}
					time.Sleep(10 * time.Millisecond) //nolint:forbidigo // a child process that is slow on purpose
				}
			}
			return false
		})
	case "environ":
		serveStdio(func(p *peer, m envelope) bool {
			if m.Method != protocol.ToolsCall {
				return false
			}
			dir, _ := os.Getwd()
			answer, _ := json.Marshal(map[string]any{"env": os.Environ(), "args": os.Args[1:], "pipes": openPipes("self"), "dir": dir})
			p.reply(m.ID, string(answer))
			return true
		})
	case "parent":
		parentMain()
	case "guarded":
		guardedMain()
	default:
		panic("unknown mode " + mode)
	}
}

// openPipes lists the numbers of a process's open files that are pipes (Linux).
func openPipes(pid string) []string {
	var fds []string
	folder := "/proc/" + pid + "/fd/"
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		if link, err := os.Readlink(folder + e.Name()); err == nil && strings.HasPrefix(link, "pipe:") {
			fds = append(fds, e.Name())
		}
	}
	return fds
}

// serveStdio runs a peer on stdin and stdout until stdin ends.
func serveStdio(handle func(p *peer, m envelope) bool) {
	p := &peer{handle: handle, send: func(s string) { _, _ = os.Stdout.WriteString(s + "\n") }}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		p.take(line)
	}
}

// spawnStubborn starts a process that ignores TERM and shares all pipes.
func spawnStubborn() int {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"=sleep")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	return cmd.Process.Pid
}

// parentMain is a gateway of its own with two servers; it prints their pids and runs until it is killed.
func parentMain() {
	var servers []config.Server
	for _, mode := range []string{"serve", "stubborn"} {
		servers = append(servers, config.Server{
			Name: mode, Transport: config.TransportStdio, Command: os.Args[0],
			Env: map[string]config.Secret{childMode: config.Secret(mode)},
		})
	}
	m := New(servers, Options{}, deaf{}, zerolog.Nop())
	go func() { _ = m.Run(context.Background()) }()
	for _, u := range m.Upstreams() {
		<-u.Settled()
		fmt.Println(u.Status().PID)
	}
	select {}
}

// guardedMain is a gateway with a guardian and a server that has started another process; it prints the pids, by name, and
// runs until it is killed.
func guardedMain() {
	server := config.Server{
		Name: "family", Transport: config.TransportStdio, Command: os.Args[0], Stderr: config.StderrInherit,
		Env: map[string]config.Secret{childMode: "family"},
	}
	m := New([]config.Server{server}, Options{Guard: []string{os.Args[0], guardArg}}, deaf{}, zerolog.Nop())
	go func() { _ = m.Run(context.Background()) }()
	u := m.Upstreams()[0]
	<-u.Settled()
	fmt.Fprintln(os.Stderr, "child", u.Status().PID)
	fmt.Fprintln(os.Stderr, "guardian", m.guardian.process.Pid)
	select {}
}

// deaf is a listener that does not listen.
type deaf struct{}

func (deaf) Changed(string)                   {}
func (deaf) Updated(string, []string, []byte) {}
func (deaf) Stray(string, string, []byte)     {}
