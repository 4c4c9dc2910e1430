// Package pineconepb holds the messages of Pinecone's gRPC data plane, generated from vector_service.proto.
//
// It knows no rule and no transport. To change it, change the .proto and run generate.sh.
package pineconepb

//go:generate ./generate.sh
