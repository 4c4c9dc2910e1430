// Package value hides PostgreSQL values in the form in which they travel: the cells of a DataRow, in text and in binary
// format, of any type.
//
// A Types says what the type OIDs of one database mean; a Masker writes what stands for a hidden cell, always in the
// format and type that the client expects, and NULL wherever it knows no such form; a Rewriter does so for whole rows.
// The package decides nothing: which column is treated how arrives as one access.Treatment per column. It knows no
// statement, no catalog but pg_type, and no connection. Start at Rewriter.
package value
