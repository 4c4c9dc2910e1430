#!/bin/sh
# Makes weaviate.pb.go from weaviate.proto. It needs Python 3 with grpcio-tools (pip install grpcio-tools) as $PYTHON.
set -eu
cd "$(dirname "$0")"
bin=$(mktemp -d)
trap 'rm -r "$bin"' EXIT
go build -o "$bin/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
PATH="$bin:$PATH" "${PYTHON:-python3}" -m grpc_tools.protoc -I. --go_out=. --go_opt=paths=source_relative weaviate.proto
