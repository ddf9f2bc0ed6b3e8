//go:build unix

package testkit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// Alive tells whether the process still runs. One that has ended and only waits to be reaped does not.
func Alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		// Without /proc the answer of kill has to do; with it, the process has just ended.
		_, noProc := os.Stat("/proc/self/stat")
		return noProc != nil
	}
	// The state follows the name, which stands in parentheses and may hold anything.
	rest := stat[bytes.LastIndexByte(stat, ')')+1:]
	return len(rest) > 1 && rest[1] != 'Z' && rest[1] != 'X'
}

// KillPID kills one process at once.
func KillPID(pid int) {
	if pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
