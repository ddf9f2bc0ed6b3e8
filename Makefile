# Every target is one command that one could type. CI runs `make check`, and nothing else.

.DEFAULT_GOAL := help
.PHONY: help run build test check lint fuzz bench conformance interop vuln

help: ## show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

run: ## run the gateway with the example configuration
	go run ./cmd/gateway --config mcp.json.example

build: ## build the static binary bin/agent
	CGO_ENABLED=0 go build -trimpath -tags nomsgpack -ldflags "-s -w" -o bin/agent ./cmd/gateway

test: ## run the tests; needs nothing but Go
	go test ./...

check: ## everything that CI runs: build, tests, race, lint, fuzz, conformance, interop
	.ci/run

lint: ## run golangci-lint as tools/go.mod pins it
	go tool -modfile=tools/go.mod golangci-lint run

fuzz: ## fuzz each target with FUZZ inputs (default 1000000x)
	.ci/fuzz $(or $(FUZZ),1000000x)

bench: ## measure the real binary against a plain HTTP reverse proxy; prints one table
	go run ./test/bench

conformance: ## run the official MCP conformance suite through the gateway; needs npm
	npm --prefix test ci && go test -count=1 -v -timeout 20m -tags conformance ./test/conformance

interop: ## compare official clients and servers, direct and through the gateway; needs npm
	npm --prefix test ci && go test -count=1 -v -timeout 20m -tags interop ./test/interop

vuln: ## look for known vulnerabilities in what the binary uses; needs network
	go tool -modfile=tools/go.mod govulncheck ./...
