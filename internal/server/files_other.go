//go:build !unix

package server

// roomForVisitors is a fixed number where files are not bounded per process.
func roomForVisitors() int { return mostVisitors }
