// Command agent is Manifold: one MCP endpoint in front of many MCP servers.
//
// main wires the packages together and is the only place that does; docs/ARCHITECTURE.md has the picture.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is set by the linker in release builds.
var version = "dev"

// Exit codes, as documented in docs/configuration.md.
const (
	exitOK      = 0
	exitRuntime = 1
	exitUsage   = 2
)

// gcPercent lets the heap grow to five times what lives before it is collected, instead of twice: the gateway's heap is a few
// megabytes, and at thousands of calls a second Go's default collects it many times a second. GOGC in the environment wins.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signals()
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(exitCode(err, os.Stderr))
}

// signals gives a context that the first signal ends; a second one ends the process at once.
func signals() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		sig := <-caught
		cancel(fmt.Errorf("signal: %s", sig))
		<-caught
		os.Exit(exitRuntime)
	}()
	return ctx, func() { signal.Stop(caught) }
}

// usageError is a mistake of the person who started the program: wrong flags or a wrong configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errReported is a failure that has been printed in full already.
var errReported = errors.New("reported")

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	if !errors.Is(err, errReported) {
		fmt.Fprintln(stderr, "agent:", err)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitRuntime
}
