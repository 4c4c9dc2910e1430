// Package weaviatetest runs Weaviate's own clients against a Weaviate server that was built from its source, direct and
// through a gateway. Everything in it is a test.
package weaviatetest
