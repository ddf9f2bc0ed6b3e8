//go:build unix

package upstream

import (
	"net"
	"syscall"
)

// hasLean: only where an idle connection can be asked whether it is still good.
const hasLean = true

// quiet tells whether an idle connection is open and has nothing to read: the server has not closed it and not said anything
// that nobody asked for.
func quiet(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	good := false
	var b [1]byte
	err = raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		good = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		return true
	})
	return err == nil && good
}
