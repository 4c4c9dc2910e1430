// Package audit is the log that nobody can quietly change.
//
// Records (who asked what, what was decided, how it ended) and sealed bodies (what was said) go into append-only
// segments, many of them with one write and one flush. Each record is a leaf of a Merkle tree (RFC 6962) whose signed
// checkpoints (C2SP tlog-checkpoint) and tiles (C2SP tlog-tiles) let anyone with the public key check that no record was
// changed, removed or put in later. Bodies are encrypted to the auditors; the leaf carries only their digest, so that a
// body can be destroyed and every proof still holds.
//
// It refuses to know what is decided, by whom, and over which protocol. It fails closed: what cannot be made durable is
// reported to the caller, who must not go on. Start at Open; for reading without a running gateway at OpenDir, for
// checking at Verify.
package audit
