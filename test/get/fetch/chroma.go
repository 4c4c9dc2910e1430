package fetch

import "context"

// Chroma brings a Chroma server with its own Python client, and returns the interpreter that has both; the server's
// program, chroma, is beside it.
func (f *Fetcher) Chroma(ctx context.Context) (interpreter string, err error) {
	return f.venv(ctx, "Chroma", "chroma", "chroma/requirements.txt", "chromadb")
}

// ChromaNode brings Chroma's client for Node, without the server that npm would put beside it, and returns the directory
// for NODE_PATH.
func (f *Fetcher) ChromaNode(ctx context.Context) (modules string, err error) {
	return f.modules(ctx, "Chroma's client for Node", "chroma-js", "chroma", []string{"chromadb"}, "--omit=optional")
}
