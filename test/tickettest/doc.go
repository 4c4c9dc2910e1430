// Package tickettest tests change tickets from the client to the system that keeps them: through every door, before
// PostgreSQL and before engines that do not speak SQL.
//
// The ticket systems are stand-ins; see package standin.
package tickettest
