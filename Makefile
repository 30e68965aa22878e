# make help lists the targets.
GO      ?= go
BIN     := bin/glrecover
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
# Packages that need no node; integration/ has its own target and is part of test.
UNIT    := $(shell $(GO) list ./... | grep -v /integration)
FUZZSECONDS ?= 240
# Packages that start goroutines of their own.
RACE    := ./recovery ./lightningd ./plugin ./peer ./chain

.PHONY: build install release demo test unit regtest race lint fuzz torture soak closes bench benchstat docker help clean

build: ## static binary in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/glrecover

install: build ## the plugin where lightningd finds it, manual pages, completion (PREFIX, DESTDIR, PLUGINS)
	packaging/install

release: ## static binaries, Debian packages, SBOMs and checksums in dist/; two runs make the same bytes
	GO='$(GO)' packaging/release

demo: build ## the whole story, printed for a person
	$(GO) run ./integration/demo

test: build unit regtest ## everything that CI runs, but lint and fuzz

unit: ## tests that need no node
	$(GO) test -v $(UNIT) | $(GO) run ./integration/quiet -brief

regtest: ## scenarios on real daemons: lnd and btcd are built once, bitcoind and lightningd must be on PATH
	$(GO) run ./integration/cmd/glr-build -try btcd lnd
	$(GO) test -count=1 -parallel 6 -timeout 40m -v ./integration/... | $(GO) run ./integration/quiet

race: ## the packages with goroutines under the race detector, without live nodes
	CGO_ENABLED=1 $(GO) test -race -skip 'Live|AFaultAtAnyCall|ALookUsesOnly|EngineClaimsEveryCell' $(RACE)

lint: ## gofumpt, vet (for macOS, Windows and 32 bits too), staticcheck, layers and stdout rules
	$(GO) vet ./...
	for target in darwin/arm64 windows/amd64 linux/arm; do \
	  export CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/}; \
	  $(GO) build -o /dev/null ./cmd/glrecover && $(GO) vet ./cmd/glrecover || exit 1; \
	done
	$(GO) build -C tools -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run ./...

fuzz: ## all fuzz targets in FUZZSECONDS (240) together
	FUZZSECONDS=$(FUZZSECONDS) ./.ci/fuzz

torture: ## reliability in one: faults at each effect and call, a million random events, 2,000 random chains, race detector, fuzzing
	.ci/torture

soak: ## SOAK (200) real channels whose peers come and go, with kills; half an hour and more
	GLRECOVER_SOAK=$(or $(SOAK),200) $(GO) test -count=1 -timeout 120m -run TestSoak -v ./integration | $(GO) run ./integration/quiet

closes: ## every kind of close, with seventeen real peers and the table of docs/recovery.md
	GLRECOVER_CLOSES=1 GLRECOVER_WRITE_DOCS=1 $(GO) test -count=1 -timeout 40m -run TestEveryKindOfCloseComesHome -v ./integration | $(GO) run ./integration/quiet

bench: build ## benchmarks, and ratios to gl-client (GL_TOOL) measured in one run
	$(GO) test -run '^$$' -bench . -benchmem $(UNIT)
	$(GO) run ./integration/cmd/glr-bench $(BENCHFLAGS) $(BIN)

benchstat: ## benchmarks of reading and writing beside the stored baseline
	$(GO) test -run '^$$' -bench . -benchmem -count 6 ./vlsstate ./channel > bin/bench.txt
	$(GO) -C tools tool benchstat -ignore cpu ../docs/bench-baseline.txt ../bin/bench.txt

docker: ## the same scenarios in containers
	docker/run.sh

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

clean: ## remove what was built
	rm -rf bin dist
