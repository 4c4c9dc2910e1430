// Package weaviatepb is the messages of Weaviate's gRPC interface. weaviate.proto is written by hand, the rest is made from
// it by generate.sh.
//
// It knows how messages are laid out and not what they mean: that is package weaviate's. Start at SearchRequest.
package weaviatepb
