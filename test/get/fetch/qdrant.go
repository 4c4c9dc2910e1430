package fetch

import "context"

// Qdrant brings Qdrant's own client in Python, and returns the interpreter that has it. There is no server to be had;
// package standin stands in for one.
func (f *Fetcher) Qdrant(ctx context.Context) (interpreter string, err error) {
	return f.venv(ctx, "Qdrant's Python client", "qdrant", "qdrant/requirements.txt", "qdrant_client")
}

// QdrantNode brings Qdrant's own clients in JavaScript and returns the directory for NODE_PATH.
func (f *Fetcher) QdrantNode(ctx context.Context) (modules string, err error) {
	return f.modules(ctx, "Qdrant's clients for Node", "qdrant-node", "qdrant", []string{"@qdrant/js-client-rest", "@qdrant/js-client-grpc"})
}
