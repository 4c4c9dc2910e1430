// Package postgres is the front end for PostgreSQL: it accepts connections, finds out who speaks, connects to the target
// with the gateway's own credential, and brings every request to the gate as an exchange.
//
// An exchange is a run of messages up to the next Sync, Flush or Query, decided at once and sent at once. One goroutine
// serves a session, half-duplex: it reads a run, walks it down the gate's road, relays the answer, and reads on.
//
// It knows PostgreSQL's protocol. What SQL means is known to package analysis, how values are hidden to package value,
// what is allowed to the gate. Start at Server.Serve; the road of one request is session.serve and exchange.
package postgres
