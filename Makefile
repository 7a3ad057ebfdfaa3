# Plain `make` lists the targets. Key material is erased from memory with Go's runtime/secret, hence
# the experiment in every build and test.
export GOEXPERIMENT := runtimesecret

VERSION      := $(shell git describe --tags --always --dirty 2>/dev/null || echo unreleased)
TEST_TIMEOUT ?= 15m
BENCH        ?= .
FUZZTIME     ?= 30s
KILLS        ?= 20

.DEFAULT_GOAL := help
.PHONY: help build run test failover bench gobench fuzz lint clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## leave the program in bin/keyquorum
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/keyquorum ./cmd/keyquorum

run: build ## run a three-node cluster on this machine, in the foreground
	@exec bin/keyquorum dev

test: ## vet everything and run every test under the race detector
	go vet ./...
	go test -race -timeout $(TEST_TIMEOUT) ./...

failover: ## kill the leader under load, 20 times (KILLS=n), and count what was lost
	KEYQUORUM_KILLS=$(KILLS) go test -count=1 -timeout 60m -run '^TestKillTheLeader$$' -v ./testcluster

bench: ## measure nodes beside bare net/http and Go's crypto (5 minutes; ARGS=-quick)
	go run ./internal/bench $(ARGS)

gobench: ## run the packages' own benchmarks (BENCH=pattern)
	go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m ./...

fuzz: ## run every fuzz target for FUZZTIME (30s)
	@set -e; grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | cut -d' ' -f2 | sort); do \
			echo "== $$dir $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir"; \
		done; \
	done

lint: ## run golangci-lint, where it is installed
	@if command -v golangci-lint >/dev/null; then golangci-lint run; \
	else echo "golangci-lint is not installed (https://golangci-lint.run): nothing was linted" >&2; exit 1; fi

clean: ## remove what was built (a dev cluster's folder stays)
	rm -rf bin
