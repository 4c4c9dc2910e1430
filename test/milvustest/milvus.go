// Package milvustest drives Milvus' own clients against Milvus Lite, a real server that speaks Milvus' gRPC interface, straight
// and through the gateway as the process that users run.
package milvustest
