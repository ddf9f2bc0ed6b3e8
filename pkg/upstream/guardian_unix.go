//go:build unix

package upstream

import (
	"os"
	"os/signal"
	"syscall"
)

// guarded says that the system needs a guardian: it does not end a group when its creator ends.
const guarded = true

// guardianAttr puts the guardian into a session of its own: neither the terminal nor who signals the gateway's group reaches it.
func guardianAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func killGroup(id int) { group{id: id}.kill() }

// becomeGuardian makes the process deaf to requests to end, and names it (on Linux; elsewhere there is no such file).
func becomeGuardian() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if f, err := os.OpenFile("/proc/self/comm", os.O_WRONLY, 0); err == nil {
		_, _ = f.WriteString(guardianName)
		_ = f.Close()
	}
}
