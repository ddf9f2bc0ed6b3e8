package e2e

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// perform runs a stdio actor in this process until its input ends.
func (r role) perform() error {
	if r.Shell {
		return r.delegate()
	}
	a := newActor(r)
	if r.Stubborn {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	}
	if r.Orphan {
		child := exec.Command(os.Args[0])
		child.Env = actorEnv(role{Name: "orphan of " + r.Name, Stubborn: true})
		if err := child.Start(); err != nil {
			return err
		}
		a.orphan = child.Process.Pid
	}
	err := a.Stdio(os.Stdin, os.Stdout)
	if r.Stubborn {
		select {} // what it takes to be stubborn
	}
	return err
}

// delegate does what npx does: the real server is a child on the same pipes.
func (r role) delegate() error {
	r.Shell = false
	child := exec.Command(os.Args[0])
	child.Env = actorEnv(r)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := child.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}
