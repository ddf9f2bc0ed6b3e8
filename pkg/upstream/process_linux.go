package upstream

import (
	"errors"
	"math"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// groupAttr makes the child the leader of a group, and has the kernel kill it when the gateway dies without stopping it.
func groupAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit waits for the end of a child and leaves it to be reaped; false if that cannot be done.
func awaitExit(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}

// keepFiles keeps from all children, once, the files that the gateway itself was given by whoever started it: those that Go
// opens are not inherited anyway. Kernels before 5.11 cannot do it and pass such files on.
var keepFiles = sync.OnceFunc(func() {
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
})
