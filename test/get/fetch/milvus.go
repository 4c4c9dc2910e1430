package fetch

import "context"

// Milvus brings Milvus Lite, a server that speaks Milvus' gRPC interface, with pymilvus and LangChain's store, and returns
// the interpreter that has them: -m milvus_lite.cmdline server is the server.
func (f *Fetcher) Milvus(ctx context.Context) (interpreter string, err error) {
	return f.venv(ctx, "Milvus Lite", "milvus", "milvus/requirements.txt", "milvus_lite.cmdline, pymilvus, langchain_milvus")
}

// MilvusNode brings Milvus' client for Node and returns the directory for NODE_PATH.
func (f *Fetcher) MilvusNode(ctx context.Context) (modules string, err error) {
	return f.modules(ctx, "Milvus' client for Node", "milvus-node", "milvus", []string{"@zilliz/milvus2-sdk-node"})
}
