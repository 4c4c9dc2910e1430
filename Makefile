# vecgate: `make demo` shows it, `make test` proves it. Both fetch what they need into ~/.cache/vecgate.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/vecgate/vecgate/internal/cli.Version=$(VERSION)
ARGS ?=

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/vecgate (static)
	CGO_ENABLED=1 go build -trimpath -tags osusergo,netgo -ldflags '$(LDFLAGS) -extldflags "-static"' -o bin/vecgate ./cmd/vecgate

.PHONY: demo
demo: ## Real PostgreSQL, real data, the whole story; ARGS=--once ends by itself
	go run ./test/demo $(ARGS)

.PHONY: get
get: ## Fetch the databases and clients that the tests use
	@for what in postgres clients tools psql-oauth chroma qdrant weaviate milvus pinecone opensearch s3 stores goclients; do go run ./test/get $$what >/dev/null; done

.PHONY: test
test: get lint ## Everything: real databases, real clients, a real browser
	go test -timeout 20m -p 2 ./...
	go test -race -timeout 10m ./internal/access ./internal/gate ./internal/audit ./internal/policy ./internal/approval ./internal/identity/...

.PHONY: lint
lint: ## gofumpt, vet, staticcheck
	@unformatted="$$(go tool gofumpt -l cmd internal test)"; if [ -n "$$unformatted" ]; then echo "not gofumpt-ed:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	@for module in test/goclients/*/; do echo "go vet $$module"; (cd "$$module" && go vet -mod=readonly -trimpath ./...); done

.PHONY: check
check: lint ## Quick: lint and the tests that need no database or browser
	go test -short -timeout 2m ./cmd/... ./internal/...

.PHONY: vuln
vuln: ## Known vulnerabilities in what we depend on (asks vuln.go.dev)
	go tool govulncheck ./...

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME (10s)
	@for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg 2>/dev/null | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(or $(FUZZTIME),10s) $$pkg; \
	  done; done

.PHONY: bench
bench: ## Side by side with PgBouncer and HAProxy; writes docs/benchmarks.md
	go run ./test/get tools
	go run ./test/bench $(ARGS)
