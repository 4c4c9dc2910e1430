// Package postgrestest runs real PostgreSQL servers with pgvector for tests, the
// demo and the benchmarks.
//
// Start(t) answers the one server of this test binary; its NewDatabase and
// NewProducts give every test a database of its own, the latter with the data of
// test/data in it. Run starts a server without a test.
//
// A server listens on 127.0.0.1 only, speaks TLS with a certificate of a throw-away
// authority, asks for SCRAM-SHA-256 passwords, and has the unprivileged role that a
// gateway would use. It never survives the process that started it, even when that
// is killed. It knows nothing of vecgate: it is the world that vecgate meets.
package postgrestest
