// Package qdranttest drives Qdrant's own clients against a stand-in for its server (package standin), straight and through
// the gateway as the process that users run.
package qdranttest
