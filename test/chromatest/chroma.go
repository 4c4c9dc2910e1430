// Package chromatest drives Chroma's own Python client against a real Chroma server, straight and through the gateway as
// the process that users run.
package chromatest
