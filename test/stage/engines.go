package stage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/ports"
)

// Engine is a real server that runs beside the test, with nothing in it.
type Engine struct {
	*Process
	Address string // host:port
	GRPC    string // host:port of gRPC, where that is another
	Python  string // the interpreter that has its own client
	Key     string // what it takes as a credential; empty when it takes none
}

// Chroma runs a Chroma that keeps its data in dir.
func Chroma(ctx context.Context, f *fetch.Fetcher, dir string) (*Engine, error) {
	python, err := f.Chroma(ctx)
	if err != nil {
		return nil, err
	}
	e := &Engine{Python: python}
	port, err := ports.Free()
	if err != nil {
		return nil, err
	}
	e.Address = fmt.Sprintf("127.0.0.1:%d", port)
	e.Process, err = Run(dir, nil, python, filepath.Join(filepath.Dir(python), "chroma"), "run",
		"--path", filepath.Join(dir, "chroma"), "--host", "127.0.0.1", "--port", fmt.Sprint(port))
	if err != nil {
		return nil, err
	}
	return e, e.Ready(ctx, "http://"+e.Address+"/api/v2/heartbeat")
}

// MilvusLite runs a Milvus Lite that keeps its data in dir.
func MilvusLite(ctx context.Context, f *fetch.Fetcher, dir string) (*Engine, error) {
	python, err := f.Milvus(ctx)
	if err != nil {
		return nil, err
	}
	e := &Engine{Python: python}
	port, err := ports.Free()
	if err != nil {
		return nil, err
	}
	e.Address = fmt.Sprintf("127.0.0.1:%d", port)
	data := filepath.Join(dir, "milvus")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	e.Process, err = Run(dir, nil, python, "-m", "milvus_lite.cmdline", "server", "--data-dir", data, "--host", "127.0.0.1", "--port", fmt.Sprint(port))
	if err != nil {
		return nil, err
	}
	return e, e.listens(ctx)
}

// OpenSearch runs an OpenSearch that keeps its data in dir.
func OpenSearch(ctx context.Context, f *fetch.Fetcher, dir string) (*Engine, error) {
	python, err := f.OpenSearchPython(ctx)
	if err != nil {
		return nil, err
	}
	server, err := f.OpenSearch(ctx)
	if err != nil {
		return nil, err
	}
	var port [2]int
	for i := range port {
		if port[i], err = ports.Free(); err != nil {
			return nil, err
		}
	}
	e := &Engine{Python: python, Address: fmt.Sprintf("127.0.0.1:%d", port[0])}
	if e.Process, err = Run(dir, nil, server.Command(dir, port[0], port[1])...); err != nil {
		return nil, err
	}
	for range 3 { // a Java that has the machine to itself needs a few seconds, and much longer otherwise
		if err = e.Ready(ctx, "http://"+e.Address+"/_cluster/health"); err == nil {
			return e, nil
		}
	}
	return e, err
}

// Weaviate runs a Weaviate that keeps its data in dir.
func Weaviate(ctx context.Context, f *fetch.Fetcher, dir string) (*Engine, error) {
	python, err := f.WeaviatePython(ctx)
	if err != nil {
		return nil, err
	}
	program, err := f.Weaviate(ctx)
	if err != nil {
		return nil, err
	}
	var port [6]int
	for i := range port {
		if port[i], err = ports.Free(); err != nil {
			return nil, err
		}
	}
	e := &Engine{Python: python, Key: "engine-key-77d0", Address: fmt.Sprintf("127.0.0.1:%d", port[0]), GRPC: fmt.Sprintf("127.0.0.1:%d", port[1])}
	environ := []string{
		"AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED=false", "AUTHENTICATION_APIKEY_ENABLED=true", "AUTHENTICATION_APIKEY_ALLOWED_KEYS=" + e.Key,
		"AUTHENTICATION_APIKEY_USERS=gateway", "AUTHORIZATION_ADMINLIST_ENABLED=true", "AUTHORIZATION_ADMINLIST_USERS=gateway",
		"PERSISTENCE_DATA_PATH=" + filepath.Join(dir, "weaviate"), "DEFAULT_VECTORIZER_MODULE=none", "ENABLE_API_BASED_MODULES=false", "ENABLE_MODULES=backup-filesystem",
		"BACKUP_FILESYSTEM_PATH=" + filepath.Join(dir, "backups"), "CLUSTER_HOSTNAME=node1", "CLUSTER_ADVERTISE_ADDR=127.0.0.1",
		fmt.Sprintf("CLUSTER_GOSSIP_BIND_PORT=%d", port[2]), fmt.Sprintf("CLUSTER_DATA_BIND_PORT=%d", port[3]),
		fmt.Sprintf("RAFT_PORT=%d", port[4]), fmt.Sprintf("RAFT_INTERNAL_RPC_PORT=%d", port[5]), fmt.Sprintf("RAFT_JOIN=node1:%d", port[4]), "RAFT_BOOTSTRAP_EXPECT=1",
		fmt.Sprintf("GRPC_PORT=%d", port[1]), "GO_PROFILING_DISABLE=true", "DISABLE_TELEMETRY=true", "LOG_LEVEL=warning", "ASYNC_INDEXING=false",
	}
	if e.Process, err = Run(dir, environ, program, "--scheme", "http", "--host", "127.0.0.1", "--port", fmt.Sprint(port[0])); err != nil {
		return nil, err
	}
	return e, e.Ready(ctx, "http://"+e.Address+"/v1/.well-known/ready")
}

// listens waits until the engine takes connections.
func (e *Engine) listens(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	for {
		var d net.Dialer
		if conn, err := d.DialContext(ctx, "tcp", e.Address); err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-e.ended:
			return errors.Join(errors.New("the server ended: "+e.Output()), e.err)
		case <-ctx.Done():
			return fmt.Errorf("the server does not listen: %s", e.Output())
		}
	}
}
