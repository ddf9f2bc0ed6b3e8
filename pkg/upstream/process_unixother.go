//go:build unix && !linux

package upstream

import "syscall"

// groupAttr makes the child the leader of a group.
func groupAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit does not wait here: the portable wait reaps at once.
func awaitExit(int) bool { return false }

// keepFiles does nothing here: there is no call for it.
func keepFiles() {}
