// Package pineconetest drives Pinecone's own clients against a stand-in for Pinecone, straight and through the gateway as the
// process that users run. There is no Pinecone to be had outside of its own cloud.
package pineconetest
