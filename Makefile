# `make help` lists the targets.

# := evaluates the version once for the whole run of make.
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
VERSION  := $(VERSION)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BRANCH   ?= $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null || echo unknown)
DATE     ?= $(shell date -u +%Y-%m-%dT%H:%M:%SZ)

info    := github.com/prometheus/common/version
ldflags  = -s -w -X $(info).Version=$(VERSION) -X $(info).Revision=$(REVISION) -X $(info).Branch=$(BRANCH) \
  -X $(info).BuildDate=$(DATE)

.DEFAULT_GOAL := all
.PHONY: all build demo demo-graph cluster kind test unit race lint chart-test rules-test generate bench bench-compare \
  architectures curve curves bench-guard bench-baseline gobench limits load e2e page-test audit idle faults fuzz \
  prometheus soak \
  pressure attack mutants lock-order statesets vuln image push image-test cluster-test chart push-chart release update-tools mixin help

# go run builds the program of benchmarks/ once; `go run ./benchmarks --help` lists its subcommands.
benchmarks := go run ./benchmarks

##@ Try

build: ## Build bin/statefleet
	CGO_ENABLED=0 go build -trimpath -ldflags '$(ldflags)' -o bin/statefleet ./cmd/statefleet

# With Prometheus the cluster is smaller, because Prometheus stores all of its series every other second.
PROMETHEUS ?=
demo: build ## Run three shards on a simulated cluster (PROMETHEUS=1: with graphs; first build: minutes)
ifeq ($(PROMETHEUS),)
	@go build -o bin/benchmarks ./benchmarks
	@bin/benchmarks demo
else
	@cd test && go build -o ../bin/demo ./cmd/demo
	@bin/demo demo --pods=1000 --jobs-per-second=1 --every=20s
endif

cluster: image ## Run a real cluster with a fleet, Prometheus and a kubeconfig until Ctrl-C (needs runc; root on Linux)
	@cd test && go build -o ../bin/cluster ./cmd/cluster && cd .. && exec bin/cluster

demo-graph: build ## Update the screenshot of the demo's graphs (four minutes; needs Chromium and npm)
	cd test && go build -o ../bin/demo ./cmd/demo
	cd test/page && npm ci --no-audit --no-fund && IMAGES=$(abspath docs/images) CHROMIUM=$(CHROMIUM) npm run graph

# The explicit context keeps commands from reaching another cluster.
KIND    ?= statefleet
kubectl  = kubectl --context kind-$(KIND)
kind: ## Create a kind cluster with image, fleet and Prometheus (needs Docker, kind and kubectl; KIND=name of the cluster)
	@missing=; for tool in docker kind kubectl; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	  test -z "$$missing" || { echo "kind: not installed:$$missing; \"make demo PROMETHEUS=1\" needs no cluster"; exit 1; }
	@docker info >/dev/null 2>&1 || { echo "kind: Docker does not answer; start it, or see \"docker info\""; exit 1; }
	$(MAKE) image VERSION=$(VERSION)
	kind get clusters 2>/dev/null | grep -qx $(KIND) || kind create cluster --name $(KIND) --wait 3m
	kind load image-archive dist/image/statefleet-$(VERSION).linux-$$(go env GOARCH).tar --name $(KIND)
	$(kubectl) create namespace statefleet --dry-run=client -o yaml | $(kubectl) apply -f -
	$(kubectl) create configmap prometheus --namespace statefleet --from-file=manifests/examples/kind/prometheus.yml \
	  --from-file=manifests/prometheus/scrape-config.yaml --from-file=manifests/mixin/rules.yaml \
	  --dry-run=client -o yaml | $(kubectl) apply -f -
	kubectl kustomize manifests/examples/kind | sed 's|image: statefleet:.*|image: statefleet:$(VERSION)|' \
	  | $(kubectl) apply -f -
	$(kubectl) rollout status --namespace statefleet statefulset/statefleet --timeout 3m
	$(kubectl) rollout status --namespace statefleet deployment/prometheus --timeout 5m
	@echo; echo "Scale the fleet:  $(kubectl) -n statefleet scale statefulset statefleet --replicas=5"
	@echo "Status page:      $(kubectl) -n statefleet port-forward statefleet-0 8081, then http://localhost:8081/"
	@echo "Prometheus:       $(kubectl) -n statefleet port-forward deployment/prometheus 9090, then http://localhost:9090/"
	@echo "Remove it again:  kind delete cluster --name $(KIND)"

generate: ## Write the files generated from kinds, flags and chart values
	go test ./manifests -run Generated -update
	go test ./manifests/presets -run 'Fixtures|Generated' -update
	go test ./resources -run MetricsReference -update
	go test ./internal/config -run ConfigurationReference -update
	go test ./manifests/chart ./manifests/mixin -run Generated -update
	go test ./internal/capacity -run Generated -update
	cd manifests/test && go test . -run TestChartRenders -update

JOB ?= kube-state-metrics
OUT ?= dist/mixin
mixin: export JOB := $(JOB)
mixin: export OUT := $(OUT)
mixin: ## Write rules and dashboard for another job to OUT (dist/mixin; JOB=integrations/kubernetes/kube-state-metrics)
	@case "$$JOB" in ''|*[!A-Za-z0-9_.:/-]*) \
	  echo "mixin: JOB must consist of letters, digits and _.:/-, got \"$$JOB\"" >&2; exit 2;; esac
	@mkdir -p "$$OUT"
	@set -e; for file in rules.yaml prometheusrule.yaml dashboard.json; do \
	  sed -E 's|(job=\\?")kube-state-metrics(\\?")|\1'"$$JOB"'\2|g' manifests/mixin/$$file > "$$OUT/$$file"; \
	done

##@ Test

all: build test ## Build the binary and run all checks

test: lint race chart-test rules-test bench-guard e2e ## Run all checks that a change must pass

unit: ## Run unit and conformance tests
	go test ./...

race: ## Run unit and conformance tests with the race detector
	go test -race -timeout 20m ./...

lint: ## Run gofmt, go vet, golangci-lint and actionlint
	@test -z "$$(gofmt -l .)" || { echo "not gofmt-ed:"; gofmt -l .; exit 1; }
	go vet ./...
	cd test && go vet ./...
	cd tools/image && go vet ./...
	cd tools/lockorder && go vet ./...
	go tool -modfile=lint.mod golangci-lint run
	go tool -modfile=actionlint.mod actionlint -shellcheck= -pyflakes= .github/workflows/*.yml

chart-test: ## Render the chart and the overlays and check every object
	cd manifests/test && go vet ./... && go test -count=1 ./...

rules := manifests/mixin
rules-test: build ## Check an exposition and the alerting rules with promtool (first build: minutes)
	$(benchmarks) families > bin/families.prom
	go tool -modfile=promtool.mod promtool check metrics < bin/families.prom
	go tool -modfile=promtool.mod promtool check rules --lint=all --lint-fatal \
	  $(rules)/rules.yaml $(rules)/tests/dashboard.rules
	go tool -modfile=promtool.mod promtool test rules $(rules)/tests/*.yaml

bench-guard: ## Fail if a benchmark allocates, or an object takes, a tenth more than the baseline
	$(benchmarks) guard

bench-baseline: ## Make the current counts the baseline
	$(benchmarks) guard --update

e2e: ## Run end-to-end tests with a real kube-apiserver and etcd (first build: minutes)
	cd test && go test -timeout 30m ./...

RULES ?=
statesets: ## Compare rules and dashboards with and without zero samples (RULES=folders, such as kube-prometheus/manifests)
	@test -n "$(RULES)" || { echo "statesets: RULES must name folders with rules (YAML) or dashboards (JSON)"; exit 2; }
	cd test && STATEFLEET_RULES='$(abspath $(RULES))' go test -count=1 -v ./statesets -run TestRulesInFolders

SCENARIO ?=
BINARY   ?=

audit: ## Scale, roll out and disturb a fleet; count missing and duplicate objects (half an hour; SCENARIO=regexp)
	@mkdir -p bin && rm -f bin/audit.txt
	cd test && STATEFLEET_BINARY=$(BINARY) STATEFLEET_AUDIT=$(CURDIR)/bin/audit.txt \
	  go test -count=1 -timeout 90m -v ./e2e -run 'TestAudit/($(SCENARIO))'; \
	  status=$$?; cat $(CURDIR)/bin/audit.txt; exit $$status

STEPS ?= 5000
RUNS  ?= 3
faults: ## Inject all faults between a fleet and the API server (ten minutes; STEPS, RUNS, STATEFLEET_SEED)
	@mkdir -p bin
	@echo 'fault              | against   |       seed | runs |  changes | strikes | violations | true again within' \
	  > bin/faults.txt
	STATEFLEET_FAULTS=$(CURDIR)/bin/faults.txt STATEFLEET_STEPS=$(STEPS) STATEFLEET_RUNS=$(RUNS) \
	  go test -count=1 -timeout 60m ./internal/replica \
	  -run 'TestEachFault|TestAPIServerOutage|TestFleetThroughFaults|TestRandomSteps'; status=$$?; \
	(cd test && STATEFLEET_FAULTS=$(CURDIR)/bin/faults.txt go test -count=1 -timeout 60m ./e2e -run TestFaults) \
	  || status=1; \
	  cat bin/faults.txt; exit $$status

SOAK ?= 1h
TOLERANCE ?= 3
soak: build ## Run a fleet under changes and faults for SOAK (1h); fail if it grows by more than TOLERANCE percent (3)
	$(benchmarks) soak --duration=$(SOAK) --tolerance=$(TOLERANCE)

attack: build ## Run attacks of tenants and clients while Prometheus scrapes (five minutes; ATTACK=--only=REGEXP)
	$(benchmarks) attack $(ATTACK)

PRESSURE ?=
pressure: build ## Run with little memory, many clients and hostile objects (needs root; PRESSURE=--pods=2000: shorter)
	$(benchmarks) pressure $(PRESSURE)

CHROMIUM ?= /usr/bin/chromium
IMAGES   ?= bin/images
page-test: build ## Test the status page in a real Chromium (IMAGES=docs/images updates the screenshots)
	@missing="$$(test -x $(CHROMIUM) || echo chromium fonts-liberation) \
$$(command -v npm >/dev/null || echo nodejs npm)"; \
	  test "$$missing" = " " || { test "$$(id -u)" = 0 && echo "installing $$missing" && \
	    apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -qy --no-install-recommends $$missing >/dev/null && test -x $(CHROMIUM); } \
	  || { echo "page-test: needs Chromium (not found at CHROMIUM=$(CHROMIUM)), Node 18 or later, and npm"; exit 1; }
	go build -o bin/benchmarks ./benchmarks
	cd test/page && npm ci --no-audit --no-fund && IMAGES=$(abspath $(IMAGES)) CHROMIUM=$(CHROMIUM) npm test

# A number of inputs, or a duration such as 10m. At the end of a duration, Go before 1.27 may report a failure by mistake:
# "context deadline exceeded" (go.dev/issue/75804).
FUZZTIME ?= 5000x
# By default, minimizing an interesting input takes up to a minute, which leaves no time to find others.
fuzz: ## Run every fuzz target on FUZZTIME inputs (5000x)
	@mkdir -p bin/fuzz
	@set -e; module=$$(go list -m); cache=$$(go env GOCACHE)/fuzz; \
	for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  binary=$(CURDIR)/bin/fuzz/$$(basename $$dir).test; \
	  go test -c -fuzz=. -o $$binary $$dir; \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\).*/\1/p' $$dir/*_test.go); do \
	    echo "$$dir $$target"; \
	    (cd $$dir && $$binary -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(FUZZTIME) \
	      -test.fuzzminimizetime 10x -test.fuzzcachedir=$$cache/$$module/$${dir#./}); \
	  done; \
	done

mutated = shard shard/fleet store internal/wire internal/watch internal/replica
PKG    ?= $(mutated)
FILES  ?=

bin/gremlins: mutants.mod
	go build -modfile=mutants.mod -o $@ github.com/go-gremlins/gremlins/cmd/gremlins

# Each package is a separate run, so that a package that misses its targets does not stop the others.
mutants: bin/gremlins ## Change each operator, and check that a test fails (hours; PKG=shard FILES=table.go,hash.go)
	@status=0; for pkg in $(PKG); do go run ./tools/mutants --files=$(FILES) $$pkg || status=1; done; exit $$status

# The copy is outside of the working directory, because checks of the working directory would include it.
LOCK_PKG ?= ./internal/... ./shard/... ./store
lock-order: ## Run the tests with mutexes that detect locks taken in both orders (LOCK_PKG=./store)
	@set -e; copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT; module=$$(go list -m); \
	git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$$copy"; cd "$$copy"; \
	grep -rl --include='*.go' '^	"sync"$$' cmd shard store resources internal benchmarks | \
	  xargs sed -i "s#^	\"sync\"\$$#	\"$$module/tools/lockorder\"#"; \
	go mod edit -require=$$module/tools/lockorder@v0.0.0 -replace=$$module/tools/lockorder=./tools/lockorder; \
	cat tools/lockorder/go.sum >> go.sum; \
	GOFLAGS=-mod=mod go test -count=1 -timeout 30m $(LOCK_PKG)

##@ Measure

BENCH_SCALE ?= 20k
scale := --commit=$(VERSION) --pods=$(subst k,000,$(BENCH_SCALE))

bench: build ## Measure all figures that have targets, with BENCH_SCALE=20k or 100k pods (ten minutes at 20k)
	$(benchmarks) load targets $(scale)

bench-compare: build ## Measure another exporter and statefleet (BIN=path ARGS='further flags, or a whole command line')
	$(benchmarks) compare $(scale) --other='$(BIN)' --other-args='$(ARGS)'

load: build ## Measure a fleet of SHARDS (1): each shard and the sum
	$(benchmarks) load fleet $(scale) --shards=$(or $(SHARDS),1)

architectures: build ## Compare three ways to export a cluster's state (six minutes); updates the table in docs
	$(benchmarks) architectures $(scale) --docs=docs/architecture.md

# Each part of the curves takes five minutes. Each commit has its own folder of results, so that an interrupted run
# continues with the missing parts. Consistency checks are off, because they run hourly and would disturb some parts.
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
	$(benchmarks) load $(curve_$*) --args=--consistency.check-interval=0 --scrapes=40 --commit=$(VERSION) \
	  --results=$(@D) --name=$*

curve: $(CURVES)/$(PART).json ## Measure one PART of the curves: single, large, shards, server or rates

curves: $(curve_parts:%=$(CURVES)/%.json) ## Measure costs by size and shards (25 minutes), fit costs.yaml, draw images
	$(benchmarks) curves $^
	$(MAKE) generate

IDLE ?= 5m
idle: ## Measure CPU and API requests of each of three replicas while nothing changes, for IDLE (5m; BINARY=path)
	cd test && STATEFLEET_IDLE=$(IDLE) STATEFLEET_BINARY=$(BINARY) \
	  go test -count=1 -timeout 60m -v ./e2e -run TestIdleReplica

LIMITS ?=
limits: build ## Measure and audit a changing fleet at the limits of Kubernetes (seven minutes; LIMITS=--pods=2000)
	cd test && go build -o ../bin/scale ./cmd/scale
	bin/scale limits --commit=$(VERSION) $(LIMITS)

SCRAPES ?=
prometheus: build ## Measure the costs of Prometheus for 20,000 pods, by profile (15 minutes, 10 GB; SCRAPES=--pods=2000)
	cd test && go build -o ../bin/ ./cmd/scale ./cmd/prometheus
	bin/scale prometheus --commit=$(VERSION) $(SCRAPES)

gobench: ## Run the Go benchmarks of all packages, with times
	go test -run '^$$' -bench . -benchmem ./...

##@ Release

VULNDB ?= https://vuln.go.dev

# govulncheck exits with 3 if it finds a vulnerability, and with 1 on errors, for example if it cannot reach the database.
vuln: ## Verify modules, search for known vulnerabilities (VULNDB; VULN_OFFLINE=1 where it cannot be reached)
	go mod verify
	@mkdir -p bin
	go build -modfile=vuln.mod -o bin/govulncheck golang.org/x/vuln/cmd/govulncheck
	@bin/govulncheck -db $(VULNDB) ./... > bin/vuln.txt 2>&1; status=$$?; cat bin/vuln.txt; \
	  if [ "$(VULN_OFFLINE)" = 1 ] && [ $$status = 1 ] && grep -q 'fetching vulnerabilities' bin/vuln.txt; then \
	    echo "vuln: NOT CHECKED for known vulnerabilities: $(VULNDB) cannot be reached from here"; \
	  else exit $$status; fi

# The tool writes its own hash into the SBOM, so its build must be reproducible too.
bin/cyclonedx-gomod: sbom.mod
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -modfile=sbom.mod -o $@ \
	  github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

# The same commit gives the same bytes on every machine, with the same versions of Go and gzip.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
# sbom writes the SBOM of a binary. It fails if the licence of a module cannot be read, for example without a network,
# because the SBOM would have different bytes.
sbom = bin/cyclonedx-gomod bin -json -std -licenses -noserial -notimestamp -version $(VERSION) -output $(2) $(1) \
  2> bin/sbom.log || { cat bin/sbom.log; exit 1; }; \
  if grep "can't resolve module license" bin/sbom.log | grep -v -e std@ -e statefleet/statefleet@; then \
    echo "the SBOM of $(1) lacks the licences of these modules"; exit 1; fi

IMAGE_DIR ?= dist/image
ARCHS     ?= amd64 arm64
# The date and the branch of the binaries are those of the commit, so that the same commit gives the same bytes.
image: DATE   = $(shell date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%dT%H:%M:%SZ)
image: BRANCH = $(VERSION)
image: inputs = bin/$(notdir $(IMAGE_DIR))
image: bin/cyclonedx-gomod ## Build the container image without Docker: OCI layout, archives and digests in dist/image/
	@set -e; for arch in $(ARCHS); do \
	  mkdir -p $(inputs)/$$arch; \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch go build -trimpath -buildvcs=false -ldflags '$(ldflags)' \
	    -o $(inputs)/$$arch/statefleet ./cmd/statefleet; \
	  $(call sbom,$(inputs)/$$arch/statefleet,$(inputs)/$$arch/sbom.json); \
	done
	@go -C tools/image run . build --version=$(VERSION) --revision=$(REVISION) --created=$(SOURCE_DATE_EPOCH) \
	  --output=$(abspath $(IMAGE_DIR)) $(foreach arch,$(ARCHS),$(arch)=$(CURDIR)/$(inputs)/$(arch))

# No version has been released yet, so the fleet is upgraded from an image of the same source with another version.
cluster-test: image ## Test image and manifests on real nodes: kubelet, containerd, runc (root on Linux; SCENARIO=base/rollout)
	@$(MAKE) --no-print-directory image IMAGE_DIR=dist/previous ARCHS=$$(go env GOARCH) VERSION=0.0.0-previous
	cd test && IMAGE=$(CURDIR)/dist/image PREVIOUS=$(CURDIR)/dist/previous go test -count=1 -timeout 60m -v ./node \
	  $(if $(SCENARIO),-run 'TestScenariosOnRealNodes/$(SCENARIO)')

push: ## Push dist/image/ to REPOSITORY, such as registry.example.org/team/statefleet, with Docker's credentials
	@go -C tools/image run . push $(CURDIR)/dist/image '$(REPOSITORY)'

CHARTS ?= dist/chart
# A version that is not semantic, such as a bare commit, becomes a pre-release of the version in Chart.yaml. The chart
# then uses the image version in Chart.yaml. The README's relative links lead out of the chart, so they become absolute.
chart: ## Package the Helm chart as dist/chart/statefleet-VERSION.tgz, reproducibly (CHARTS=folder)
	@set -e; export LC_ALL=C; from=manifests/chart; dir=$$(mktemp -d); trap 'rm -r "$$dir"' EXIT; \
	to="$$dir"/statefleet; mkdir -p "$$to" '$(CHARTS)'; rm -f '$(CHARTS)'/statefleet-*.tgz; \
	version=$$(echo '$(VERSION)' | sed -nE 's/^v?([0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?)$$/\1/p'); \
	app="$$version"; \
	test -n "$$version" || { app=$$(sed -n 's/^appVersion: //p' $$from/Chart.yaml); \
	  version="$$(sed -n 's/^version: //p' $$from/Chart.yaml)-g$$(echo '$(VERSION)' | tr -c '0-9A-Za-z\n' -)"; }; \
	cp -R $$from/templates $$from/files $$from/values.yaml $$from/values.schema.json LICENSE "$$to"; \
	sed "s/^version: .*/version: $$version/; s/^appVersion: .*/appVersion: $$app/" $$from/Chart.yaml > "$$to/Chart.yaml"; \
	sed 's#](\.\./\.\./#](https://github.com/statefleet/statefleet/blob/main/#g' $$from/README.md > "$$to/README.md"; \
	tar -C "$$dir" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
	  --mtime=@$(SOURCE_DATE_EPOCH) -cf - statefleet | gzip -9n > '$(CHARTS)'/statefleet-"$$version".tgz; \
	cd '$(CHARTS)'; sha256sum statefleet-*.tgz

push-chart: chart ## Push the chart to REPOSITORY, such as registry.example.org/team/charts, with Docker's credentials
	@go -C tools/image run . push-chart $(abspath $(CHARTS))/statefleet-*.tgz '$(REPOSITORY)'

image-test: image ## Test the image, and run it with runc (needs root on Linux)
	cd tools/image && go vet ./... && IMAGE=$(CURDIR)/dist/image go test -count=1 -v ./...

release: DATE   = $(shell date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%dT%H:%M:%SZ)
release: BRANCH = $(VERSION)
release: bin/cyclonedx-gomod ## Build archives of static binaries, their SBOMs and checksums in dist/, reproducibly
	@test -z "$$(git status --porcelain --untracked-files=no)" \
	  || { echo "release: the working tree has uncommitted changes"; exit 1; }
	rm -rf dist
	set -e; for arch in amd64 arm64; do \
	  name=statefleet-$(VERSION:v%=%).linux-$$arch; mkdir -p dist/$$name; \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch go build -trimpath -buildvcs=false -ldflags '$(ldflags)' \
	    -o dist/$$name/statefleet ./cmd/statefleet; \
	  cp LICENSE README.md CHANGELOG.md dist/$$name/; \
	  chmod 644 dist/$$name/*.md dist/$$name/LICENSE; chmod 755 dist/$$name/statefleet; \
	  $(call sbom,dist/$$name/statefleet,dist/$$name.cdx.json); \
	  tar -C dist --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_DATE_EPOCH) \
	    -cf - $$name | gzip -9n > dist/$$name.tar.gz; \
	  rm -r dist/$$name; \
	done
	cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS

update-tools: ## Update the tools whose modules are at the root (lint.mod and others) to their newest versions
	@set -e; for module in *.mod; do test $$module = go.mod || { echo $$module; go get -modfile=$$module tool; }; done

help: ## List the targets
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
