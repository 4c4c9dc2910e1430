package fetch

import "context"

// Pinecone brings Pinecone's own Python client as it is now, and returns the interpreter that has it.
func (f *Fetcher) Pinecone(ctx context.Context) (interpreter string, err error) {
	return f.venv(ctx, "Pinecone's Python client", "pinecone", "pinecone/requirements.txt", "pinecone, pinecone.grpc")
}

// PineconeGRPC brings the last Python client of Pinecone that speaks gRPC by Google's own library and comes with the
// interface's descriptors, and returns the interpreter that has it.
func (f *Fetcher) PineconeGRPC(ctx context.Context) (interpreter string, err error) {
	return f.venv(ctx, "Pinecone's Python client of before", "pinecone", "pinecone/requirements-grpc.txt", "pinecone.grpc")
}

// PineconeNode brings Pinecone's own client for Node and returns the directory for NODE_PATH.
func (f *Fetcher) PineconeNode(ctx context.Context) (modules string, err error) {
	return f.modules(ctx, "Pinecone's client for Node", "pinecone-node", "pinecone", []string{"@pinecone-database/pinecone"})
}
