# make help lists the targets.
GO      ?= go
BIN     := bin/glrecover
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
# Packages that need no node; integration/ has its own target and is part of test.
UNIT    := $(shell $(GO) list ./... | grep -v /integration)
FUZZTIME ?= 60s

.PHONY: build demo test unit regtest race lint fuzz bench docker help clean

build: ## static binary in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/glrecover

demo: build ## the whole story, printed for a person
	$(GO) run ./integration/demo

test: build unit regtest ## everything that CI runs, but lint and fuzz

unit: ## tests that need no node
	$(GO) test $(UNIT)

regtest: ## scenarios on real bitcoind, lightningd and lnd, where they are on PATH
	$(GO) test -count=1 -timeout 40m -v ./integration/... | $(GO) run ./integration/quiet

race: ## the concurrent packages under the race detector
	CGO_ENABLED=1 $(GO) test -race -skip Live ./recovery/... ./lightningd/... ./plugin/... ./peer/... ./chain/...

lint: ## gofumpt, vet, staticcheck, layers and stdout rules
	$(GO) vet ./...
	$(GO) build -C tools -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run ./...

fuzz: ## each fuzz target for FUZZTIME (60s)
	FUZZTIME=$(FUZZTIME) ./.ci/fuzz

bench: ## benchmarks, as ratios measured in one run
	$(GO) test -run '^$$' -bench . -benchmem $(UNIT)

docker: ## the same scenarios in containers
	docker/run.sh

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

clean: ## remove what was built
	rm -rf bin
