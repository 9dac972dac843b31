# Phalanx: see README.md. Every target works on a fresh machine with Go, git and make, unless it says what else it needs.

BIN := bin
GO  ?= go
PKGS := ./...

.PHONY: all build demo test test-short check fmt vet lint scripts-check generate-check imports bench fuzz generate contracts clean

all: build

build: ## bin/phalanx, bin/pruntime, bin/pruntime-sim
	@mkdir -p $(BIN)
	$(GO) build -o $(BIN)/ ./cmd/phalanx ./cmd/pruntime ./cmd/pruntime-sim

demo: build ## a whole network and a sealed-bid auction, in under a minute
	$(BIN)/phalanx demo

test: build ## every test, whole networks in processes included
	$(GO) test -timeout 40m $(PKGS)

test-short: ## the quick tests
	$(GO) test -short -timeout 10m $(PKGS)

check: fmt vet lint scripts-check generate-check imports ## what a change must pass before review (needs protoc)

fmt:
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt -w these files:"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet $(PKGS)

lint:
	$(GO) tool staticcheck $(PKGS)

scripts-check: ## every shell script parses
	@for f in $$(git ls-files '*.sh') image/pinned; do bash -n "$$f" || exit 1; done

imports:
	$(GO) test -count=1 -run 'Imports|Forbidden|Roles|Manual' .

generate: ## protobuf code (needs protoc)
	./scripts/proto.sh

generate-check:
	@tmp=$$(mktemp -d) && ./scripts/proto.sh $$tmp && \
	for f in $$(cd $$tmp && find . -type f); do cmp -s $$tmp/$$f $$f || { echo "$$f is not what its .proto gives: make generate"; bad=1; }; done; \
	rm -rf $$tmp; test -z "$$bad"

bench: build ## a table of ratios, and bench.json
	$(GO) run ./bench

fuzz: ## each fuzz target for FUZZTIME (10s)
	./scripts/fuzz.sh $(or $(FUZZTIME),10s)

contracts: ## the example contracts and those of the tests (needs Rust; see examples/build.sh)
	./examples/build.sh
	./tests/contracts/build.sh
	./tests/contracts/script/build.sh

clean:
	rm -rf $(BIN) bench.json
