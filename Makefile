# Upstream. `make demo` shows what it does, `make test` proves it.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
export PATH := $(CURDIR)/bin:$(PATH)

# Set by CI: tests that lack a tool fail instead of being skipped.
NO_SKIP ?=
# Set by CI: run with the race detector, which needs a C compiler.
RACE ?=

# SQLite is C translated to Go. Its memory lies outside of Go's heap, where the race
# detector doesn't look, but for a few globals that its own locks guard: watching it
# finds nothing of ours and makes its tests up to ten times slower; its pointers aren't
# checked either (checkptr). The locks between goroutines, the driver and all of this
# module are watched.
WATCH := -race $(foreach p,modernc.org/sqlite/lib modernc.org/libc,-gcflags=$(p)=-race=false)

GO_TEST := UPSTREAM_TEST_NO_SKIP=$(NO_SKIP) go test $(if $(RACE),$(WATCH))

.PHONY: build assets demo test test-fast test-all vet lint bench bench-api bench-load loadtest quality quality-quick fuzz tools clean

build: ## one static binary: ./bin/upstream
	@$(MAKE) --no-print-directory assets || echo "npm is not there, or can't: the load tester's page is built without scripts, with tables for charts"
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/upstream ./cmd/upstream

assets: internal/load/dist/load.js ## the scripts of the load tester's page; needs npm

internal/load/dist/load.js: $(wildcard frontend/load/*.ts) frontend/package.json frontend/tsconfig.json frontend/node_modules/.package-lock.json
	npm --prefix frontend run --silent build

frontend/node_modules/.package-lock.json: frontend/package-lock.json
	npm --prefix frontend ci --no-audit --no-fund

demo: build ## from nothing to a drift feed and the API, in ./upstream.db
	./bin/upstream demo

# CI waits for all of them anyway, so there the fast ones don't run twice.
test: $(if $(RACE),,test-fast) test-all ## everything; the fast ones first

vet:
	go vet ./...

test-fast: vet
	go test -short . ./cmd/... ./internal/auth ./internal/bench ./internal/drift ./internal/ingest ./internal/limit ./internal/synth ./internal/telemetry

test-all: vet
	$(GO_TEST) -timeout 20m ./...

lint: vet ## needs `make tools`
	@test -z "$$(gofumpt -l $$(git ls-files '*.go'))" || { gofumpt -l $$(git ls-files '*.go'); echo "run gofumpt -w on these"; exit 1; }
	staticcheck ./...
	golangci-lint run

bench: ## Go benchmarks, and the commands at full size into ./bench-out
	go test -run '^$$' -bench . -benchmem ./internal/...
	./scripts/bench.sh bin/upstream

bench: build

bench-api: build ## the API at a million claims, with wrk, into ./bench-out
	./scripts/bench-api.sh bin/upstream

bench-load: build ## the load tester itself: is it true, how fast, how small; into ./bench-out
	./scripts/bench-load.sh bin/upstream

loadtest: build ## the guide's targets against the demo server; exits by the table
	./scripts/loadtest.sh bin/upstream

quality: build ## how well detection works, on simulated customers, into ./bench-out
	@mkdir -p bench-out
	./bin/upstream benchmark-drift --quality --json bench-out/quality.json

quality-quick: build ## the same in small, against wide bounds: a broken detector fails
	./bin/upstream benchmark-drift --quality --quick

fuzz: ## every fuzz target for FUZZTIME (20s)
	./scripts/fuzz.sh $(or $(FUZZTIME),20s)

tools: ## pinned
	GOBIN=$(CURDIR)/bin go install mvdan.cc/gofumpt@v0.12.0
	GOBIN=$(CURDIR)/bin go install honnef.co/go/tools/cmd/staticcheck@v0.8.2
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

clean:
	rm -rf bin bench-out frontend/node_modules internal/load/dist/load.js internal/load/dist/load.css upstream.db upstream.db-wal upstream.db-shm upstream.db-jobs upstream.db-jobs-wal upstream.db-jobs-shm
