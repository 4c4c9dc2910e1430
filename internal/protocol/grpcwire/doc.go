// Package grpcwire carries the gRPC dialects of vector databases: it listens, finds out who speaks, reads every message
// strictly once, hands it to the gate, sends on what was read (never what was received), and hides in the answer what must
// be hidden.
//
// It refuses to know what a call means: that is its Dialect's business. Start at Server.Serve, then Dialect.
package grpcwire
