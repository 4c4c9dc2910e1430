package fetch

import "context"

// Qdrant brings Qdrant's own clients in Python, and LangChain's store, and returns the interpreter that has them. There is
// no server to be had; package standin stands in for one.
func (f *Fetcher) Qdrant(ctx context.Context) (interpreter string, err error) {
	return f.venv(ctx, "Qdrant's Python clients", "qdrant", "qdrant/requirements.txt", "qdrant_client, langchain_qdrant")
}

// QdrantNode brings Qdrant's own clients in JavaScript and returns the directory for NODE_PATH.
func (f *Fetcher) QdrantNode(ctx context.Context) (modules string, err error) {
	return f.modules(ctx, "Qdrant's clients for Node", "qdrant-node", "qdrant", []string{"@qdrant/js-client-rest", "@qdrant/js-client-grpc"})
}
