//go:build !unix

package upstream

import "net"

const hasLean = false

func quiet(net.Conn) bool { return false }
