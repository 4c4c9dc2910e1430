// Package archive keeps a second copy of an audit log where the gateway's host cannot quietly change it: in another
// directory, or in a bucket whose objects are locked.
//
// What is once there is never written again. A checkpoint comes after everything that it promises, so that the archive is
// at any moment a log that can be verified by itself; where the copy stands is read from the archive, never from a file
// beside it. Whoever puts the gateway's own log back to an earlier state is found out by the archive's newest checkpoint.
//
// It refuses to know what a record says, and what is configured. Start at Archiver.Run; for checking at Verify.
package archive
