# statefleet: the few commands one needs. `make help` lists them.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BRANCH   ?= $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null || echo unknown)
DATE     ?= $(shell date -u +%Y-%m-%dT%H:%M:%SZ)
IMAGE    ?= statefleet:$(VERSION)

info    := github.com/prometheus/common/version
ldflags := -s -w -X $(info).Version=$(VERSION) -X $(info).Revision=$(REVISION) -X $(info).Branch=$(BRANCH) -X $(info).BuildDate=$(DATE)

.DEFAULT_GOAL := all
.PHONY: all build demo test unit race lint chart-test rules-test generate bench load e2e fuzz image help

all: build test ## Build the binary and run all checks

build: ## Build bin/statefleet
	CGO_ENABLED=0 go build -trimpath -ldflags '$(ldflags)' -o bin/statefleet ./cmd/statefleet

demo: build ## Run three shards on a simulated cluster, no cluster needed
	go run ./benchmarks/demo --binary bin/statefleet

test: lint race chart-test rules-test e2e ## Lint, all tests with the race detector, charts, alerts, end-to-end tests

unit: ## Unit and conformance tests, quickly
	go test ./...

race: ## Unit and conformance tests with the race detector
	go test -race ./...

lint: ## gofmt, go vet and golangci-lint
	@test -z "$$(gofmt -l .)" || { echo "not gofmt-ed:"; gofmt -l .; exit 1; }
	go vet ./...
	cd test && go vet ./...
	go tool -modfile=lint.mod golangci-lint run

chart-test: ## Render the chart and the overlays and check every object
	cd manifests/test && go vet ./... && go test ./...

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
	cd manifests/test && go test . -run TestChartRenders -update

bench: ## Go benchmarks of all packages
	go test -run '^$$' -bench . -benchmem ./...

load: build ## Measure what a shard costs on a simulated cluster (three minutes)
	go run ./benchmarks/load --binary bin/statefleet

fuzz: ## Run every fuzz target for FUZZTIME (default 10s)
	@for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $${FUZZTIME:-10s} $$pkg || exit 1; \
	  done; \
	done

e2e: ## End-to-end tests against a real kube-apiserver and etcd (first build: some minutes)
	cd test && go test -timeout 30m ./...

image: ## Build the container image
	docker build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg DATE=$(DATE) -t $(IMAGE) .

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
