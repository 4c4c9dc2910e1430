#!/bin/sh
# Makes vector_service.pb.go of vector_service.proto: protoc comes from the Python package grpcio-tools, protoc-gen-go is of
# the version in go.mod.
set -eu
cd "$(dirname "$0")"
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
go build -o "$tools/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
python3 -m venv --without-pip "$tools/python"
python3 -m pip --python "$tools/python/bin/python" install --quiet grpcio-tools==1.85.1
PATH="$tools:$PATH" "$tools/python/bin/python" -m grpc_tools.protoc -I. --go_out=. --go_opt=paths=source_relative vector_service.proto
