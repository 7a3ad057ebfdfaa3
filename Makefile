# Plain `make` lists the targets. Key material is erased from memory with Go's runtime/secret, hence
# the experiment in every build and test.
export GOEXPERIMENT := runtimesecret

# A commit with the tag v0.1.0 is version 0.1.0. Any other is on the way to NEXT.
NEXT         := 0.1.0
COMMIT       := $(shell git describe --always --exclude '*' --dirty=.dirty 2>/dev/null || echo unknown)
TAG          := $(shell git describe --exact-match --match 'v[0-9]*' --dirty=+dirty 2>/dev/null)
VERSION      := $(or $(TAG:v%=%),$(NEXT)-dev+$(COMMIT))
TEST_TIMEOUT ?= 30m
BENCH        ?= .
FUZZTIME     ?= 30s
KILLS        ?= 20
TIME         ?= 20m
N            ?= 100
RATE         ?= 200
SEED         ?= $(shell date +%s)
CHAOS        := GOGC=400 KEYQUORUM_SEED=$(SEED) go test -count=1 -timeout 0 -v ./testcluster

# Tests that take long under the race detector mark themselves by heavy.Test in their first line:
# make test runs them without it.
HEAVY   = $(shell grep -rhB1 --include='*_test.go' '^	heavy\.Test(t)' . | sed -n 's/^func \(Test[A-Za-z]*\).*/\1/p')
HEAVYIN = $(sort $(dir $(shell grep -rl --include='*_test.go' '^	heavy\.Test(t)' .)))
space  := $(empty) $(empty)

# Packages with benchmarks, each of which make test runs once.
BENCHED := ./audit ./fsm ./httpapi ./httpapi/azure ./internal/bench ./prove ./seal ./storage ./vault ./vault/access

.DEFAULT_GOAL := help
.PHONY: help targets build run packages hsm test racetests plaintests vectors timing failover succession chaos histories kills cuts leaks thief races geo upgrade siege deep alerts model conformance mutants bench load gobench fuzz lint clean

# What is needed every day has its explanation behind ##, the rest behind #: (make targets).
help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo; echo "To measure and to break things, each explained by make targets:"
	@awk -F ':' '/^[a-z]+:.*#: / { printf "%s ", $$1 }' $(MAKEFILE_LIST) | fold -s -w 74 | sed 's/^/  /'; echo

targets: ## explain all targets
	@awk -F ':.*#[#:] ' '/^[a-z]+:.*#[#:] / { printf "make %s\n   ", $$1; n = split($$2, words, " "); \
		for (i = at = 1; i <= n; i++) { at += 1 + length(words[i]); if (at > 76) { printf "\n   "; at = length(words[i]) } \
			printf " %s", words[i] } print "" }' $(MAKEFILE_LIST)

# -v names what is compiled: the first time it takes minutes. With the same flags the example has most
# of the program's packages.
BUILD := CGO_ENABLED=0 go build -v -trimpath -ldflags '-X main.version=$(VERSION)'

build: ## leave the program in bin/keyquorum
	$(BUILD) -o bin/keyquorum ./cmd/keyquorum

run: build ## run three nodes on this machine, in the foreground (ARGS=-h)
	$(BUILD) -o bin/azure-app ./examples/azure-app
	@exec bin/keyquorum dev $(ARGS)

# A module of its own, which ./... doesn't reach: the library of a token is in C.
hsm: #: leave bin/keyquorum-pkcs11, by which a node uses a PKCS#11 token (needs a C compiler)
	cd cmd/keyquorum-pkcs11 && CGO_ENABLED=1 go build -trimpath -o ../../bin/keyquorum-pkcs11 .

# The same source gives the same packages: their files have the commit's time.
packages: build #: leave a deb and an rpm in bin/
	cd internal/packaging && SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) \
		go run . -version '$(VERSION)' -arch $$(go env GOARCH)

# Under the race detector each package has one processor. On two, goroutines of one bubble
# (testing/synctest) that look at expired timers at once run them in one race context, and the
# detector crashes (Go 1.26: timer.unlockAndRun). The longest package goes first; it waits more than it
# works, so there is room for one package more than there are processors. Whatever runs after go vet
# does not vet again.
test: ## vet everything and run every test, under the race detector
	go vet ./...
	go build -o bin/gotest ./internal/gotest
	@$(MAKE) --no-print-directory -j2 racetests plaintests

racetests:
	KEYQUORUM_HEAVY=later KEYQUORUM_HISTORIES=3 bin/gotest -vet=off -race -cpu 1 -p $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) -timeout $(TEST_TIMEOUT) ./testcluster ./...

# What takes minutes under the race detector runs beside the rest, where that leaves a processor free.
# Packaging and keyquorum-pkcs11 are modules of their own, which ./... doesn't reach.
plaintests: export GOGC := 400
plaintests:
	cd internal/packaging && go vet ./... && nice -n 15 ../../bin/gotest -vet=off -timeout $(TEST_TIMEOUT) ./...
	cd cmd/keyquorum-pkcs11 && go vet ./... && nice -n 15 ../../bin/gotest -vet=off -timeout $(TEST_TIMEOUT) ./...
	nice -n 15 bin/gotest -vet=off -timeout $(TEST_TIMEOUT) ./internal/leasemodel/... ./internal/thiefmodel
	nice -n 15 bin/gotest -vet=off -timeout $(TEST_TIMEOUT) -run '^TestProcessAfterAPowerCutWaits$$' ./cluster
	nice -n 15 bin/gotest -vet=off -count=1 -timeout $(TEST_TIMEOUT) -run '^TestLeaseBugsAreFound$$' ./internal/mutants
	@once=$$(nice -n 15 go test -vet=off -timeout $(TEST_TIMEOUT) -short -run '^$$' -bench . -benchtime 1x $(BENCHED) 2>&1) || \
		{ echo "$$once"; exit 1; }
	KEYQUORUM_HISTORIES=12 KEYQUORUM_SEED=100 nice -n 15 bin/gotest -vet=off -timeout $(TEST_TIMEOUT) -run '^(TestHistories|$(subst $(space),|,$(HEAVY)))$$' $(HEAVYIN)

vectors: #: prove every algorithm against all published vectors, and print how many
	KEYQUORUM_VECTORS=all go test -count=1 -v -run '^TestVectors' ./httpapi ./vault

timing: #: compare how long failing decryptions take, by what is wrong with them (minutes, on a quiet machine)
	KEYQUORUM_TIMING=1 go test -count=1 -v -timeout 30m -run '^TestFailuresTakeAlike$$' ./vault

failover: #: kill the leader under load, 20 times (KILLS=n), and count what was lost
	KEYQUORUM_KILLS=$(KILLS) go test -count=1 -timeout 60m -run '^TestKillTheLeader$$' -v ./testcluster

succession: #: measure on fake time how long writes wait when leaders die, N (40) of each kind (minutes)
	KEYQUORUM_FAILOVERS=$(if $(filter command line,$(origin N)),$(N),40) go test -count=1 -timeout 60m -v -run '^TestFailover$$' ./cluster

chaos: #: break clusters for TIME (20m), in bubbles and as processes, and report (SEED=n)
	KEYQUORUM_CHAOS=$(TIME) $(CHAOS) -run '^TestChaos$$'

histories: #: check N (100) histories of clusters on fake time, each with faults of its own
	KEYQUORUM_HISTORIES=$(N) $(CHAOS) -run '^TestHistories$$'

kills: #: kill a process, every second time the leader, N (100) times under load
	KEYQUORUM_KILL_CYCLES=$(N) $(CHAOS) -run '^TestKills$$'

cuts: #: cut the power of a whole cluster N (100) times under load
	KEYQUORUM_CUTS=$(N) $(CHAOS) -run '^TestPowerCuts$$'

leaks: #: open and close a cluster N (100) times and count what is left
	KEYQUORUM_CYCLES=$(N) $(CHAOS) -run '^TestNothingLeaks$$'

thief: #: attack the real program with the folder of a sealed node, and show what the other nodes say of it
	KEYQUORUM_THIEF=processes $(CHAOS) -run '^Test(Thief|Stranger)'

races: #: revoke a right N (1000) times while it is used at all nodes, some of them cut off
	KEYQUORUM_RACES=$(if $(filter command line,$(origin N)),$(N),1000) $(CHAOS) -run '^TestRevocationHoldsEverywhere$$'

geo: #: measure a cluster over three regions, in network namespaces (root; 5 minutes)
	KEYQUORUM_GEO=1 $(CHAOS) -run '^TestGeo$$'

upgrade: #: roll a cluster from the revision before to this one, and restart it, under 200 requests a second (RATE=n)
	KEYQUORUM_UPGRADE=1 KEYQUORUM_ROLL=$(RATE) go test -count=1 -timeout 30m -v ./testcluster/rolling

siege: #: lay N (10000) strangers around a cluster under load, and print what operators, probes and applications wait for
	KEYQUORUM_SIEGE=$(if $(filter command line,$(origin N)),$(N),10000) go test -count=1 -timeout 0 -v -run '^TestSiege$$' ./testcluster

deep: #: look at every disk state and every damaged byte of a member's folder (minutes)
	KEYQUORUM_DEEP=1 go test -count=1 -timeout 90m ./storage

alerts: #: run docs/alerts.yml and its tests by Prometheus' own code (a module of its own; minutes the first time)
	cd internal/monitoring && go vet ./... && go test -count=1 ./...

model: #: check read leases, and signed transactions against a thief, in every state of small worlds (minutes; ARGS='-run Margin')
	go run ./internal/leasemodel/run $(ARGS)
	go run ./internal/thiefmodel $(ARGS)
	KEYQUORUM_RULES=all go test -count=1 -timeout 60m ./internal/leasemodel/rules

conformance: ## make the calls of bao and vault, and run Microsoft's tests
	go test -count=1 -v -run '^TestCommands$$' ./internal/conformance/commands
	KEYQUORUM_CONFORMANCE=1 go test -count=1 -timeout 30m -v $(ARGS) ./internal/conformance

mutants: #: seed known bugs, one at a time, and run the tests that must find them (ARGS='-run name')
	go run ./internal/mutants $(ARGS)

bench: ## measure nodes beside bare net/http (6 minutes; ARGS=-quick)
	go run ./internal/bench $(ARGS)

load: #: fill a vault with N (100000) secrets and measure the node that holds it (minutes; ARGS=-json)
	go run ./internal/bench load $(if $(filter command line,$(origin N)),-n $(N)) $(ARGS)

gobench: #: run the packages' own benchmarks (BENCH=pattern)
	go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m ./...

fuzz: #: run every fuzz target for FUZZTIME (30s)
	@set -e; grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | cut -d' ' -f2 | sort); do \
			echo "== $$dir $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$dir"; \
		done; \
	done

lint: ## run golangci-lint, where it is installed
	@if command -v golangci-lint >/dev/null; then golangci-lint run; \
	else echo "golangci-lint is not installed (https://golangci-lint.run): nothing was linted" >&2; exit 1; fi

clean: ## remove what was built (a dev cluster's folder stays)
	rm -rf bin
