// Package bypass attacks masking.
//
// It holds the catalogue of the ways in which a PostgreSQL client could get at values that it may not see (Catalogue, by
// class), and makes several hundred more by combining expressions, positions in a statement and ways of sending it
// (Generate). Run sends all of them over a Way and judges every byte that comes back: no part of a secret may be in it
// in any encoding, and the answer may not depend on the secrets at all. For the second it asks two worlds, databases
// that differ in nothing but their secrets.
//
// Sent straight to PostgreSQL every attack must succeed, which proves that it is one. Sent through a gateway none may.
// The package knows no gateway, only what a client sees. Start at Run.
package bypass
