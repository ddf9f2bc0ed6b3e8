package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is one of the processes of a run if it was started as one, else the run itself.
func run() error {
	duration := flag.Duration("duration", 3*time.Second, "how long each cell of each round is measured")
	rounds := flag.Int("rounds", 3, "how many rounds; medians are printed")
	only := flag.String("only", "", "measure only this part: calls, sessions, list or start")
	match := flag.String("cells", "", "of the calls, measure only cells whose name contains this")
	more := flag.String("agent-args", "", "more flags for the agent, separated by blanks")
	profile := flag.String("profile", "", "write a processor profile of the agent per cell to this folder")
	flag.Parse()
	switch mode := os.Getenv(modeVariable); mode {
	case "upstream":
		return serve(newUpstream())
	case "proxy":
		h, err := proxyHandler(flag.Arg(0), flag.Arg(1))
		if err != nil {
			return err
		}
		return serve(h)
	case "load":
		return loadMain()
	case "stdio", "hang":
		return stdioServer(mode == "hang")
	case "":
	default:
		return fmt.Errorf("unknown mode %q", mode)
	}
	if runtime.GOOS != "linux" {
		return errors.New("the processor time of other processes is read from /proc, so this needs Linux")
	}
	cells = slices.DeleteFunc(cells, func(c cell) bool { return !strings.Contains(c.name, *match) })
	agentArgs = append(agentArgs, strings.Fields(*more)...)
	s, err := newSetting(context.Background(), *duration, *rounds, *profile)
	if err != nil {
		return err
	}
	defer s.close()
	for _, part := range []struct {
		name string
		run  func() error
	}{{"calls", s.calls}, {"list", s.list}, {"sessions", s.sessions}, {"start", s.start}} {
		if *only == "" || *only == part.name {
			if err := part.run(); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
	}
	return nil
}
