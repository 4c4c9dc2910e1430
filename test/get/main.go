// Command get brings what the tests and the demo run against into a cache
// directory and prints where it is. It knows what to print; package fetch does
// the work.
//
//	go run ./test/get postgres   PostgreSQL with pgvector; prints the directory of its programs
//	go run ./test/get psql-oauth a psql 18 that can sign in by OAuth's device flow; prints its path
//	go run ./test/get chroma      a Chroma server, and its client for Node; prints the server's path
//	go run ./test/get weaviate   a Weaviate server, built from its source, and its clients; prints the server's path
//	go run ./test/get opensearch  an OpenSearch server, and its clients and Elasticsearch's; prints the command that starts it
//	go run ./test/get milvus      Milvus Lite (python -m milvus_lite.cmdline server) with clients; prints NAME=value lines
//	go run ./test/get qdrant     Qdrant's clients in Python and JavaScript; prints NAME=value lines
//	go run ./test/get pinecone   Pinecone's own clients; prints NAME=value lines
//	go run ./test/get s3         an S3 server with object lock, built from its source; prints its path
//	go run ./test/get stores     LangChain's and LlamaIndex' stores over every engine; prints PYTHON=value
//	go run ./test/get goclients  the engines' own clients for Go, built; prints their paths
//	go run ./test/get clients    stock clients in Python, Node and Java; prints NAME=value lines
//	go run ./test/get tools      Chromium, PgBouncer, HAProxy by apt-get, where missing (needs root)
//	go run ./test/get data       prints the data set of package test/data as a script for psql
//	go run ./test/get cache      prints the cache directory
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/vecgate/vecgate/test/data"
	"github.com/vecgate/vecgate/test/get/fetch"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := get(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "get:", err)
		os.Exit(1)
	}
}

func get(ctx context.Context, args []string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	f, err := fetch.New(log)
	if err != nil {
		return err
	}
	what := ""
	if len(args) == 1 {
		what = args[0]
	}
	switch what {
	case "postgres":
		bin, err := f.Postgres(ctx)
		if err != nil {
			return err
		}
		version, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output()
		if err != nil {
			return fmt.Errorf("ask the server for its version: %w", err)
		}
		log.Info("ready", "server", strings.TrimSpace(string(version)), "pgvector", fetch.PgvectorVersion)
		fmt.Println(bin)
		return nil
	case "psql-oauth":
		psql, err := f.PsqlOAuth(ctx)
		if err != nil {
			return err
		}
		fmt.Println(psql)
		return nil
	case "chroma":
		python, err := f.Chroma(ctx)
		if err != nil {
			return err
		}
		if _, err := f.ChromaNode(ctx); err != nil {
			return err
		}
		fmt.Println(filepath.Join(filepath.Dir(python), "chroma"))
		return nil
	case "weaviate":
		program, err := f.Weaviate(ctx)
		if err != nil {
			return err
		}
		if _, err := f.WeaviatePython(ctx); err != nil {
			return err
		}
		if _, err := f.WeaviateNode(ctx); err != nil {
			return err
		}
		fmt.Println(program)
		return nil
	case "opensearch":
		server, err := f.OpenSearch(ctx)
		if err != nil {
			return err
		}
		if _, err := f.OpenSearchPython(ctx); err != nil {
			return err
		}
		if _, err := f.OpenSearchNode(ctx); err != nil {
			return err
		}
		fmt.Println(strings.Join(server.Command("DIRECTORY", 9200, 9300), " "))
		return nil
	case "milvus":
		python, err := f.Milvus(ctx)
		if err != nil {
			return err
		}
		modules, err := f.MilvusNode(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("PYTHON=%s\nNODE_PATH=%s\n", python, modules)
		return nil
	case "qdrant":
		python, err := f.Qdrant(ctx)
		if err != nil {
			return err
		}
		modules, err := f.QdrantNode(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("PYTHON=%s\nNODE_PATH=%s\n", python, modules)
		return nil
	case "pinecone":
		return pineconeClients(ctx, f)
	case "s3":
		program, err := f.S3(ctx)
		if err != nil {
			return err
		}
		fmt.Println(program)
		return nil
	case "stores":
		python, err := f.Stores(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("PYTHON=%s\n", python)
		return nil
	case "goclients":
		for _, name := range fetch.GoClients {
			program, err := f.GoClient(ctx, name)
			if err != nil {
				return err
			}
			fmt.Println(program)
		}
		return nil
	case "clients":
		return clients(ctx, f)
	case "tools":
		if err := f.Tools(ctx); err != nil {
			return err
		}
		for _, tool := range fetch.SystemTools {
			fmt.Printf("%s is installed: %s\n", tool.Program, tool.For)
		}
		return nil
	case "data":
		return data.WriteSQL(os.Stdout)
	case "cache":
		fmt.Println(f.Cache)
		return nil
	}
	got := "none was named"
	if len(args) > 0 {
		got = "not " + strconv.Quote(strings.Join(args, " "))
	}
	return fmt.Errorf("what to get is one of postgres, milvus, psql-oauth, chroma, opensearch, weaviate, pinecone, qdrant, s3, stores, goclients, clients, tools, data, cache; %s", got)
}

// pineconeClients prints what a shell can read with eval.
func pineconeClients(ctx context.Context, f *fetch.Fetcher) error {
	python, err := f.Pinecone(ctx)
	if err != nil {
		return err
	}
	overGRPC, err := f.PineconeGRPC(ctx)
	if err != nil {
		return err
	}
	modules, err := f.PineconeNode(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("PYTHON=%s\nPYTHON_GRPC=%s\nNODE_PATH=%s\n", python, overGRPC, modules)
	return nil
}

// clients prints what a shell can read with eval.
func clients(ctx context.Context, f *fetch.Fetcher) error {
	python, err := f.Python(ctx)
	if err != nil {
		return err
	}
	modules, err := f.Node(ctx)
	if err != nil {
		return err
	}
	jar, err := f.JDBC(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("PYTHON=%s\nNODE_PATH=%s\nJDBC=%s\n", python, modules, jar)
	return nil
}
