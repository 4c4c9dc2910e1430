package fetch

import "context"

// Stores brings an interpreter with LangChain's and LlamaIndex' stores over every engine, each with the client of the
// engine that it asks for. That they are in one environment is what makes them small.
func (f *Fetcher) Stores(ctx context.Context) (interpreter string, err error) {
	return f.venv(ctx, "LangChain's and LlamaIndex' stores", "stores", "stores/requirements.txt",
		"langchain_core.vectorstores, llama_index.core.vector_stores, chromadb, elasticsearch, opensearchpy, pinecone, psycopg2, pymilvus, qdrant_client, weaviate")
}
