# statefleet: the few commands one needs. `make help` lists them.

# That of the moment at which make began, also when it runs for long.
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
VERSION  := $(VERSION)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BRANCH   ?= $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null || echo unknown)
DATE     ?= $(shell date -u +%Y-%m-%dT%H:%M:%SZ)
IMAGE    ?= statefleet:$(VERSION)

info    := github.com/prometheus/common/version
ldflags  = -s -w -X $(info).Version=$(VERSION) -X $(info).Revision=$(REVISION) -X $(info).Branch=$(BRANCH) -X $(info).BuildDate=$(DATE)

.DEFAULT_GOAL := all
.PHONY: all build demo test unit race lint chart-test rules-test generate bench bench-compare architectures curve curves bench-guard bench-baseline gobench load e2e page-test audit idle faults fuzz soak pressure attack mutants vuln image release help

all: build test ## Build the binary and run all checks

build: ## Build bin/statefleet
	CGO_ENABLED=0 go build -trimpath -ldflags '$(ldflags)' -o bin/statefleet ./cmd/statefleet

demo: build ## Run three shards on a simulated cluster, no cluster needed
	@go build -o bin/demo ./benchmarks/demo
	@bin/demo --binary bin/statefleet

test: lint race chart-test rules-test bench-guard e2e ## Lint, all tests with the race detector, charts, alerts, allocations, end-to-end tests

unit: ## Unit and conformance tests, quickly
	go test ./...

race: ## Unit and conformance tests with the race detector
	go test -race -timeout 20m ./...

lint: ## gofmt, go vet and golangci-lint
	@test -z "$$(gofmt -l .)" || { echo "not gofmt-ed:"; gofmt -l .; exit 1; }
	go vet ./...
	cd test && go vet ./...
	go tool -modfile=lint.mod golangci-lint run

chart-test: ## Render the chart and the overlays and check every object
	cd manifests/test && go vet ./... && go test -count=1 ./...

rules-test: ## Check a whole page and the alerting rules with promtool (first build: some minutes)
	@mkdir -p bin
	go run ./benchmarks/page > bin/page.prom
	go tool -modfile=promtool.mod promtool check metrics < bin/page.prom
	go tool -modfile=promtool.mod promtool check rules --lint=all --lint-fatal manifests/mixin/rules.yaml manifests/mixin/tests/dashboard.rules
	go tool -modfile=promtool.mod promtool test rules manifests/mixin/tests/*.yaml

generate: ## Write what is generated from the kinds, flags and values
	go test ./manifests -run Generated -update
	go test ./resources -run MetricsReference -update
	go test ./cmd/statefleet -run ConfigurationReference -update
	go test ./manifests/chart ./manifests/mixin -run Generated -update
	go test ./internal/capacity -run Generated -update
	cd manifests/test && go test . -run TestChartRenders -update

BENCH_SCALE ?= 20k
load := go run ./benchmarks/load --commit=$(VERSION) --pods=$(subst k,000,$(BENCH_SCALE))

bench: build ## Measure everything there are targets for on a simulated cluster, BENCH_SCALE=20k or 100k pods (ten minutes at 20k)
	$(load) targets

bench-compare: build ## Another exporter beside ours: BIN=path ARGS='further flags, or a whole command line with templates'
	$(load) compare --other='$(BIN)' --other-args='$(ARGS)'

architectures: build ## Three ways to export a cluster's state side by side, ours among them, at BENCH_SCALE (six minutes); renews the table in docs
	go run ./benchmarks/architectures --commit=$(VERSION) --pods=$(subst k,000,$(BENCH_SCALE)) --docs=docs/architecture.md

# The parts of the curves, each some five minutes. What is measured of a commit is kept below bin, so that a run that was
# broken off goes on with the parts that lack. Consistency checks come once an hour, some fleets would be met by one.
curve_single = curve --size=1000 --size=5000 --size=20000 --size=50000 --fleet=1 --window=40s
curve_large  = curve --size=200000 --fleet=1 --window=40s
curve_shards = curve --size=100000 --fleet=1 --fleet=2 --fleet=4 --fleet=8 --window=40s
curve_server = curve --size=100000 --fleet=2 --fleet=4 --fleet=8 --server-sharding --window=40s
curve_rates  = rates --pods=5000 --rate=100 --rate=400 --rate=1000 --rate=2000 --rate=4000 --window=20s
curve_parts  = single large shards server rates
CURVES      ?= bin/curves/$(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

.PRECIOUS: $(CURVES)/%.json
.NOTPARALLEL: curves
$(CURVES)/%.json: | build
	go run ./benchmarks/load $(curve_$*) --args=--consistency.check-interval=0 --scrapes=40 --commit=$(VERSION) --results=$(@D) --name=$*

curve: $(CURVES)/$(PART).json ## One PART of the curves: single, large, shards, server or rates

curves: $(curve_parts:%=$(CURVES)/%.json) ## Fleets and clusters of many sizes (25 minutes, resumed where it was broken off); fits costs.yaml, draws docs/images
	go run ./benchmarks/curves $^
	$(MAKE) generate

bench-guard: ## Fail when Go benchmarks allocate, or an object takes, a tenth more than benchmarks/guard/baseline.txt says
	go run ./benchmarks/guard

bench-baseline: ## Accept what they allocate now
	go run ./benchmarks/guard --update

gobench: ## Go benchmarks of all packages, with times
	go test -run '^$$' -bench . -benchmem ./...

load: build ## Measure a fleet of SHARDS (default 1) on a simulated cluster, each shard and the sum
	$(load) fleet --shards=$(or $(SHARDS),1)

STEPS ?= 5000
RUNS  ?= 3
faults: ## Everything that can go wrong between a fleet and the API server, simulated and real: one line each (ten minutes; STEPS, RUNS, STATEFLEET_SEED)
	@mkdir -p bin
	@echo 'fault              | against   |       seed | runs |  changes | strikes | violations | true again within' > bin/faults.txt
	STATEFLEET_FAULTS=$(CURDIR)/bin/faults.txt STATEFLEET_STEPS=$(STEPS) STATEFLEET_RUNS=$(RUNS) go test -count=1 -timeout 60m ./internal/replica \
	  -run 'TestEachFault|TestAPIServerThatIsAway|TestFleetThroughFaults|TestRandomSteps'; status=$$?; \
	(cd test && STATEFLEET_FAULTS=$(CURDIR)/bin/faults.txt go test -count=1 -timeout 60m ./e2e -run TestFaults) || status=1; \
	  cat bin/faults.txt; exit $$status

FUZZTIME ?= 10s

# To make every interesting input as small as can be, which takes up to a minute for each by default, leaves no time to look for others.
fuzz: ## Run every fuzz target for FUZZTIME (default 10s)
	@mkdir -p bin/fuzz
	@set -e; module=$$(go list -m); cache=$$(go env GOCACHE)/fuzz; \
	for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  binary=$(CURDIR)/bin/fuzz/$$(basename $$dir).test; \
	  go test -c -fuzz=. -o $$binary $$dir; \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\).*/\1/p' $$dir/*_test.go); do \
	    echo "$$dir $$target"; \
	    (cd $$dir && $$binary -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(FUZZTIME) -test.fuzzminimizetime 10x -test.fuzzcachedir=$$cache/$$module/$${dir#./}); \
	  done; \
	done

SOAK ?= 1h
TOLERANCE ?= 3

soak: build ## Run a fleet under change and faults for SOAK (default 1h), and look that nothing grows by more than TOLERANCE percent (3)
	go run ./benchmarks/soak --duration=$(SOAK) --tolerance=$(TOLERANCE)

e2e: ## End-to-end tests against a real kube-apiserver and etcd (first build: some minutes)
	cd test && go test -timeout 30m ./...

SCENARIO ?=
BINARY   ?=

audit: ## Play every scenario of a fleet that scales, rolls and fails, and count what is missing or doubled (half an hour); SCENARIO=regexp plays some, BINARY=path another build
	@mkdir -p bin
	cd test && STATEFLEET_BINARY=$(BINARY) STATEFLEET_AUDIT=$(CURDIR)/bin/audit.txt go test -count=1 -timeout 90m -v ./e2e -run 'TestAudit/($(SCENARIO))'; \
	  status=$$?; cat $(CURDIR)/bin/audit.txt; exit $$status

IDLE ?= 5m

idle: ## CPU and API requests of a replica of three while nothing happens, measured for IDLE (default 5m); BINARY=path measures another build
	cd test && STATEFLEET_IDLE=$(IDLE) STATEFLEET_BINARY=$(BINARY) go test -count=1 -timeout 60m -v ./e2e -run TestIdleReplica

CHROMIUM ?= /usr/bin/chromium
IMAGES   ?= bin/images

page-test: build ## The fleet page in a real Chromium; IMAGES=docs/images renews the screenshots in the docs
	@missing="$$(test -x $(CHROMIUM) || echo chromium fonts-liberation) $$(command -v npm >/dev/null || echo nodejs npm)"; \
	  test "$$missing" = " " || { test "$$(id -u)" = 0 && echo "installing $$missing" && apt-get update -q >/dev/null && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing >/dev/null && test -x $(CHROMIUM); } \
	  || { echo "page-test: needs Chromium (CHROMIUM=path says where; there is none at $(CHROMIUM)), Node 18 or later and npm"; exit 1; }
	go build -o bin/apisim ./benchmarks/apisim
	cd test/page && npm ci --no-audit --no-fund && IMAGES=$(abspath $(IMAGES)) CHROMIUM=$(CHROMIUM) npm test

image: ## Build the container image
	docker build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg DATE=$(DATE) -t $(IMAGE) .

PRESSURE ?=

attack: build ## Play attacks of tenants and clients against the binary while a Prometheus scrapes it (five minutes; ATTACK=--only=REGEXP plays some)
	go run ./benchmarks/attack $(ATTACK)

pressure: build ## Run a replica with 1.3 times the memory it needs, or 12 MiB more, against many clients and hostile objects (takes root; PRESSURE=--pods=2000 is shorter)
	go run ./benchmarks/pressure $(PRESSURE)

mutated = shard shard/fleet store internal/wire internal/watch internal/replica
PKG    ?= $(mutated)
FILES  ?=

bin/gremlins: mutants.mod
	go build -modfile=mutants.mod -o $@ github.com/go-gremlins/gremlins/cmd/gremlins

# Each package is a run of its own, so that one below its targets does not keep the others from being looked at.
mutants: bin/gremlins ## Change one operator at a time and look whether a test fails, PKG=shard FILES=table.go,hash.go or all (hours)
	@status=0; for pkg in $(PKG); do go run ./tools/mutants --files=$(FILES) $$pkg || status=1; done; exit $$status

VULNDB ?= https://vuln.go.dev

# govulncheck ends with 3 when it has found something. That its database cannot be asked is no finding, and no clean bill either.
vuln: ## Check what the modules are, and look for known vulnerabilities in the code that is called (asks VULNDB, vuln.go.dev; VULN_OFFLINE=1 where that is known to be out of reach)
	go mod verify
	@mkdir -p bin
	go build -modfile=vuln.mod -o bin/govulncheck golang.org/x/vuln/cmd/govulncheck
	@bin/govulncheck -db $(VULNDB) ./... > bin/vuln.txt 2>&1; status=$$?; cat bin/vuln.txt; \
	  if [ "$(VULN_OFFLINE)" = 1 ] && [ $$status = 1 ] && grep -q 'fetching vulnerabilities' bin/vuln.txt; then \
	    echo "vuln: NOT CHECKED for known vulnerabilities: $(VULNDB) cannot be reached from here"; \
	  else exit $$status; fi

# It writes its own hash into what it makes, and so has to be the same everywhere, too.
bin/cyclonedx-gomod: sbom.mod
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -modfile=sbom.mod -o $@ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

# The same commit gives the same bytes on every machine, with the same versions of Go and gzip.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
release: DATE   = $(shell date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%dT%H:%M:%SZ)
release: BRANCH = $(VERSION)
release: bin/cyclonedx-gomod ## Archives of static binaries, their SBOMs and checksums in dist/, reproducible
	@test -z "$$(git status --porcelain --untracked-files=no)" || { echo "release: the tree has changes that are not committed"; exit 1; }
	rm -rf dist
	set -e; for arch in amd64 arm64; do \
	  name=statefleet-$(VERSION:v%=%).linux-$$arch; mkdir -p dist/$$name; \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch go build -trimpath -buildvcs=false -ldflags '$(ldflags)' -o dist/$$name/statefleet ./cmd/statefleet; \
	  cp LICENSE README.md CHANGELOG.md dist/$$name/; chmod 644 dist/$$name/*.md dist/$$name/LICENSE; chmod 755 dist/$$name/statefleet; \
	  GOPROXY=off bin/cyclonedx-gomod bin -json -std -licenses -noserial -notimestamp \
	    -version $(VERSION) -output dist/$$name.cdx.json dist/$$name/statefleet; \
	  tar -C dist --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_DATE_EPOCH) -cf - $$name | gzip -9n > dist/$$name.tar.gz; \
	  rm -r dist/$$name; \
	done
	cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
