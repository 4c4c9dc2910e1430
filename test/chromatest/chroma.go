// Package chromatest drives Chroma's own clients for Python and Node against a real Chroma server, straight and through the gateway as
// the process that users run.
package chromatest
