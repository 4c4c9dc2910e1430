//go:build !unix

package http1

import "net"

// quiet cannot be found out here without waiting: every request has a connection of its own.
func quiet(net.Conn) bool { return false }
