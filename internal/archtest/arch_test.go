package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "keyquorum/"
	root   = "../.." // of the module, from here
)

// rooms lists every package and what it may import of ours. Arrows point downwards:
//
//	cmd → httpapi → node → vault → {seal, audit, cluster} → fsm → storage
//
// A new package needs a line here, and a reason in docs/ARCHITECTURE.md.
var rooms = map[string][]string{
	"cmd/keyquorum": {
		"cmd/keyquorum/console", "cmd/keyquorum/debug", "cmd/keyquorum/dev", "cmd/keyquorum/doctor",
		"cmd/keyquorum/mover", "cmd/keyquorum/objects", "cmd/keyquorum/operator", "cmd/keyquorum/proving",
		"cmd/keyquorum/recovery", "cmd/keyquorum/runner", "cmd/keyquorum/service",
		"cmd/keyquorum/session", "cmd/keyquorum/settings", "httpapi", "httpapi/forwarded", "node",
		"internal/address", "internal/ownsocket", "internal/placement", "internal/space",
		"internal/terse",
		"node/schedule", "node/schedule/s3", "httpapi/seeds", "internal/release",
		"internal/wrapper",
	},
	"cmd/keyquorum/console": {},
	"cmd/keyquorum/dev":     {"cmd/keyquorum/console", "cmd/keyquorum/operator"},
	"cmd/keyquorum/debug": {
		"cmd/keyquorum/console", "cmd/keyquorum/doctor", "cmd/keyquorum/operator",
	},
	"cmd/keyquorum/doctor":  {"cmd/keyquorum/console", "cmd/keyquorum/operator", "node"},
	"cmd/keyquorum/keyfile": {},
	"cmd/keyquorum/mover": {
		"cmd/keyquorum/console", "cmd/keyquorum/keyfile", "cmd/keyquorum/reference",
		"cmd/keyquorum/session",
	},
	"cmd/keyquorum/frontdoor": {"internal/program"},
	"cmd/keyquorum/objects": {
		"cmd/keyquorum/console", "cmd/keyquorum/keyfile", "cmd/keyquorum/reference",
		"cmd/keyquorum/session",
	},
	"cmd/keyquorum/mover/frontdoor": {"internal/program"},
	"cmd/keyquorum/reference":       {"internal/address"},
	"cmd/keyquorum/runner": {
		"cmd/keyquorum/console", "cmd/keyquorum/reference", "cmd/keyquorum/session",
	},
	"cmd/keyquorum/session":  {"cmd/keyquorum/console", "cmd/keyquorum/reference"},
	"cmd/keyquorum/service":  {},
	"cmd/keyquorum-pkcs11":   {},
	"cmd/keyquorum/settings": {"cmd/keyquorum/console"},
	"cmd/keyquorum/recovery": {
		"cmd/keyquorum/console", "cmd/keyquorum/operator", "node", "node/schedule",
	},
	"cmd/keyquorum/terminal": {"internal/program"},
	"cmd/keyquorum/operator": {
		"cmd/keyquorum/console", "httpapi", "internal/address", "internal/ownsocket",
	},
	"cmd/keyquorum/proving": {
		"cmd/keyquorum/console", "cmd/keyquorum/operator", "httpapi", "prove",
	},
	"httpapi": {
		"node", "vault", "httpapi/azure", "httpapi/connections", "httpapi/exchange",
		"httpapi/figures", "httpapi/forwarded", "httpapi/hosts", "httpapi/joining",
		"httpapi/openapi", "httpapi/operators", "httpapi/seeds", "httpapi/throttle", "httpapi/wire",
	},
	"httpapi/azure": {
		"node", "vault", "httpapi/connections", "httpapi/exchange", "httpapi/hosts",
		"httpapi/openapi", "httpapi/throttle", "httpapi/wire",
	},
	"httpapi/connections": {"httpapi/forwarded", "internal/throng"},
	"httpapi/exchange": {
		"vault", "internal/uuid", "httpapi/connections", "httpapi/figures", "httpapi/forwarded",
		"httpapi/wire",
	},
	"httpapi/figures":   {"node", "internal/tally", "httpapi/connections"},
	"httpapi/forwarded": {},
	"httpapi/hosts":     {"httpapi/wire"},
	"httpapi/joining":   {"node", "internal/address", "httpapi/seeds", "httpapi/wire"},
	"httpapi/openapi":   {"httpapi/exchange", "httpapi/wire"},
	"httpapi/operators": {
		"node", "vault", "internal/pgp", "internal/placement", "httpapi/connections",
		"httpapi/exchange", "httpapi/figures", "httpapi/joining", "httpapi/openapi",
		"httpapi/throttle", "httpapi/wire",
	},
	"httpapi/seeds":    {"internal/address", "node"},
	"httpapi/throttle": {},
	"httpapi/wire":     {"vault"},
	"node": {
		"node/archive", "vault", "seal", "audit", "cluster", "cluster/autopilot", "cluster/gossip",
		"cluster/identity", "fsm", "storage", "internal/address", "internal/latch",
		"internal/placement", "internal/space", "internal/uuid", "node/schedule",
		"internal/release",
	},
	"node/archive":     {},
	"node/schedule":    {},
	"node/schedule/s3": {"node/schedule"},
	"vault":            {"seal", "audit", "cluster", "fsm", "vault/access"},
	"vault/access":     {},
	"cluster": {
		"cluster/autopilot", "cluster/calls", "cluster/gossip", "cluster/identity",
		"cluster/lease", "cluster/lives", "cluster/port", "cluster/raftfix", "cluster/succession",
		"cluster/wire", "fsm", "storage", "internal/address", "internal/tally", "internal/release",
	},
	"cluster/autopilot":   {"cluster/wire"},
	"cluster/calls":       {"cluster/port", "cluster/wire", "fsm"},
	"cluster/gossip":      {"cluster/wire", "internal/address", "internal/throng"},
	"cluster/identity":    {"cluster/wire", "fsm"},
	"cluster/lease":       {},
	"cluster/lease/trace": {"cluster/lease"},
	"cluster/lives":       {"cluster/wire"},
	"cluster/port":        {"cluster/identity", "cluster/lives", "internal/throng"},
	"cluster/raftfix":     {},
	"cluster/succession":  {},
	"cluster/wire":        {},
	"fsm":                 {"storage"},
	"storage":             {"internal/latch"},
	"seal":                {},
	"audit":               {"internal/tally"},
	"prove":               {},
	"testcluster": {"httpapi", "node", "vault", "seal", "audit", "cluster",
		"cluster/identity", "cluster/lease/trace", "fsm", "storage", "prove", "internal/fakenet",
		"internal/overlay", "internal/powercut", "internal/release", "testcluster/placing"},
	"testcluster/placing":  {},
	"testcluster/rolling":  {},
	"examples/azure-app":   {},
	"examples/azure-life":  {},
	"internal/archtest":    {},
	"internal/bench":       {"testcluster"},
	"internal/canary":      {},
	"internal/conformance": {},
	"internal/fakenet":     {},
	"internal/fakes3":      {},
	"internal/leasemodel":  {"cluster/lease", "internal/statespace"},
	"internal/mutants":     {"internal/overlay"},
	"internal/address":     {},
	"internal/gotest":      {},
	"internal/heavy":       {},
	"internal/latch":       {},
	"internal/monitoring":  {},
	"internal/packaging":   {},
	"internal/placement":   {},
	"internal/release":     {},
	"internal/overlay":     {},
	"internal/ownsocket":   {},
	"internal/pgp":         {},
	"internal/powercut":    {"internal/overlay"},
	"internal/program": { // so that go test knows what the program is built from
		"cmd/keyquorum/debug", "cmd/keyquorum/dev", "cmd/keyquorum/doctor", "cmd/keyquorum/mover",
		"cmd/keyquorum/objects", "cmd/keyquorum/operator", "cmd/keyquorum/proving",
		"cmd/keyquorum/recovery", "cmd/keyquorum/runner", "httpapi", "node/schedule/s3",
	},
	"internal/space":      {},
	"internal/statespace": {},
	"internal/tally":      {},
	"internal/testkey":    {"fsm", "internal/release"},
	"internal/thiefmodel": {"internal/statespace"},
	"internal/terse":      {},
	"internal/throng":     {},
	"internal/twoways":    {},
	"internal/uuid":       {},
	"internal/vectors":    {},
	"internal/wrapper":    {},

	"internal/conformance/commands": {},

	"internal/ownsocket/ownfolder": {"internal/ownsocket"},

	"internal/leasemodel/one":   {"internal/leasemodel"},
	"internal/leasemodel/rules": {"cluster/lease", "internal/leasemodel", "internal/overlay"},
	"internal/leasemodel/run": {"internal/leasemodel", "internal/leasemodel/rules",
		"internal/statespace"},
}

// reasons say why an import would hurt, where it would do more than go upwards.
var reasons = map[[2]string]string{
	{"fsm", "seal"}:        "the state machine replicates ciphertext; as long as it cannot see a key, neither log nor snapshot can leak one. Decide in vault, and put the sealed bytes into a transaction",
	{"storage", "seal"}:    "storage writes what it is given to disk; as long as it cannot decrypt, a bug in it cannot write plaintext",
	{"cluster", "seal"}:    "the cluster port carries ciphertext between nodes that may be sealed; what needs a key (certificates, join proofs) node does, and hands over the result",
	{"httpapi", "seal"}:    "a handler must not hold a key. Bytes that are secret come from vault as seal.Plaintext, which needs no import to be passed on",
	{"httpapi", "cluster"}: "httpapi has never heard of Raft; ask node, which speaks for the node as a whole",
	{"httpapi", "fsm"}:     "httpapi has never heard of records; a verb of vault answers in words of the domain",
	{"httpapi", "storage"}: "httpapi has never heard of disks",
	{"cmd/keyquorum/objects",
		"cmd/keyquorum/operator"}: "what is done with objects every program with an Azure SDK can do: there is no private door",
	{"cmd/keyquorum", "seal"}: "the program only assembles; what it must ask of seal (hardening the process) node passes on",
	{"vault", "node"}:         "the domain does not know in which node it runs; node gives it what it needs in vault.Config",
	{"vault", "storage"}:      "the domain talks to records through fsm.View and transactions, never to disks",
}

// outside lists packages of others that a room must do without.
var outside = []struct {
	prefix string
	rooms  []string
	why    string
}{
	{"net/http", []string{
		"node", "vault", "seal", "audit", "cluster", "cluster/gossip", "cluster/identity",
		"cluster/port", "cluster/raftfix", "cluster/wire", "fsm", "storage"},
		"HTTP is the business of httpapi (towards clients) and cluster/calls (between nodes)"},
	{"github.com/hashicorp/raft", []string{
		"cmd/keyquorum", "httpapi", "vault", "seal", "audit", "cluster/calls", "cluster/gossip",
		"cluster/identity", "cluster/lives", "cluster/wire"},
		"only cluster, fsm and storage (and node, which assembles them) know how the log is replicated"},
	{"github.com/hashicorp/memberlist", []string{
		"cmd/keyquorum", "httpapi", "node", "vault", "seal", "audit", "cluster", "cluster/calls",
		"cluster/identity", "cluster/lives", "cluster/port", "cluster/raftfix", "cluster/wire",
		"fsm", "storage"},
		"gossip is cluster/gossip's alone, and never says who is a member"},
	{"sync", []string{"cluster/autopilot", "cluster/lease", "cluster/lives", "vault/access"},
		"this room judges plain data; who asks it holds the lock"},
	{"net", []string{"cluster/autopilot", "cluster/lease", "cluster/lives", "vault/access"},
		"this room judges plain data; who asks it has the connections"},
	{"os", []string{
		"cluster/autopilot", "cluster/identity", "cluster/lease", "cluster/lives", "vault/access"},
		"this room is given what the folder holds, and gives back what it is to hold"},
	{"github.com/prometheus",
		[]string{"cmd/keyquorum", "node", "vault", "seal", "audit", "cluster", "fsm", "storage"},
		"how figures are shown is httpapi's business; count with internal/tally or atomics, and pass the numbers up"},
	{"github.com/aws",
		[]string{
			"cmd/keyquorum", "cmd/keyquorum/recovery", "httpapi", "node", "node/schedule", "vault",
			"seal", "audit", "cluster", "fsm", "storage"},
		"how S3 is spoken is node/schedule/s3's business: who keeps snapshots knows a schedule.Store"},
	{"github.com/ProtonMail",
		[]string{"cmd/keyquorum", "httpapi", "node", "vault", "seal", "audit", "cluster", "fsm",
			"storage"},
		"OpenPGP is in one place, internal/pgp, which knows public keys alone"},
	{"github.com/gorilla/mux",
		[]string{"cmd/keyquorum", "node", "vault", "seal", "audit", "cluster", "fsm", "storage"},
		"routes are httpapi's alone"},
	{"github.com/tink-crypto", []string{
		"cmd/keyquorum", "httpapi", "node", "seal", "audit", "cluster", "fsm", "storage"},
		"keys that come and go are wrapped in vault, and nothing else is taken from there"},
	{"github.com/cloudflare/circl",
		[]string{"cmd/keyquorum", "httpapi", "node", "vault", "audit", "cluster", "fsm", "storage"},
		"shares are split and joined in one place, seal"},
}

// undetermined are packages by which nodes could differ about an entry: the state machine does
// without them.
var undetermined = map[string]string{
	"unicode":       "its tables change with Go's releases",
	"regexp":        "what matches may change with Go's releases",
	"encoding/json": "what it takes may change with Go's releases",
	"time":          "nodes apply an entry at different times",
	"math/rand":     "nodes would choose differently",
	"math/rand/v2":  "nodes would choose differently",
	"os":            "nodes run on different machines",
}

// An imported is one import of one file.
type imported struct {
	file, room, path string
	test             bool
}

func TestImportsPointDownwards(t *testing.T) {
	for _, i := range imports(t) {
		if complaint := judge(i); complaint != "" {
			t.Errorf("%s imports %s: %s", i.file, i.path, complaint)
		}
	}
}

// downwards are the rooms whose tests stand on what is below them too, so that they build and fail
// with their own room and not with those above it. All other tests may import what they need, from
// anywhere.
var downwards = []string{"httpapi", "httpapi/azure", "httpapi/connections", "httpapi/exchange",
	"httpapi/figures", "httpapi/hosts", "httpapi/openapi", "httpapi/operators", "httpapi/throttle",
	"httpapi/wire", "node", "vault", "seal", "audit", "cluster", "fsm", "storage"}

// judge is the rule.
func judge(i imported) string {
	allowed, known := rooms[i.room]
	if !known {
		return fmt.Sprintf("and %s is a room that nobody has agreed on. If it earns its place, add it to rooms in internal/archtest and say in docs/ARCHITECTURE.md what it is for",
			i.room)
	}
	if i.test {
		return judgeTest(i.room, i.path)
	}
	if ours, ok := strings.CutPrefix(i.path, module); ok {
		return judgeOurs(i.room, ours, allowed)
	}
	if why := undetermined[i.path]; why != "" && i.room == "fsm" {
		return "nodes must not differ about an entry of the log: " + why
	}
	for _, o := range outside {
		if strings.HasPrefix(i.path, o.prefix) && slices.ContainsFunc(o.rooms, i.within) {
			return o.why
		}
	}
	return ""
}

// within says whether the import is in a room, or in one of httpapi's, which do without what it does
// without: only where they say what they need of others do they differ.
func (i imported) within(room string) bool {
	return i.room == room || room == "httpapi" && strings.HasPrefix(i.room, "httpapi/")
}

// judgeTest is the rule for tests: they may import what is below their room, and rooms of internal
// that stand on no other.
func judgeTest(room, path string) string {
	target, ours := strings.CutPrefix(path, module)
	if !ours || !slices.Contains(downwards, room) {
		return ""
	}
	for below := range reaches(target) {
		if below != room && !strings.HasPrefix(below, "internal/") && !reaches(room)[below] {
			return fmt.Sprintf("it stands on %s, and the tests of %s stand on what is below it. A network "+
				"without the nodes is in internal/fakenet; what needs whole nodes belongs into testcluster",
				below, room)
		}
	}
	return ""
}

// reaches is what a room may import, directly or through others, and the room itself.
func reaches(room string) map[string]bool {
	all := map[string]bool{room: true}
	for _, below := range rooms[room] {
		maps.Copy(all, reaches(below))
	}
	return all
}

func judgeOurs(room, target string, allowed []string) string {
	if slices.Contains(allowed, target) {
		return ""
	}
	if target == "testcluster" {
		return "testcluster breaks things on purpose; only tests and the benchmark may reach it"
	}
	whole, _, below := strings.Cut(room, "/")
	if why := reasons[[2]string{room, target}]; why != "" {
		return why
	}
	if why := reasons[[2]string{whole, target}]; below && whole == "httpapi" && why != "" {
		return why
	}
	return fmt.Sprintf("imports point downwards, cmd → httpapi → node → vault → {seal, audit, cluster} → fsm → storage, and %s is not below %s. "+
		"Let the upper room pass in what the lower one needs", target, room)
}

// TestTheRuleCanFail keeps the judge honest: each of these would be a hole.
func TestTheRuleCanFail(t *testing.T) {
	holes := []struct{ room, path, says string }{
		{"fsm", "keyquorum/seal", "ciphertext"},
		{"storage", "keyquorum/seal", "plaintext"},
		{"cluster", "keyquorum/seal", "sealed"},
		{"httpapi", "keyquorum/seal", "must not hold a key"},
		{"httpapi", "keyquorum/cluster", "never heard of Raft"},
		{"httpapi", "github.com/hashicorp/raft", "know how the log is replicated"},
		{"httpapi/azure", "keyquorum/seal", "must not hold a key"},
		{"httpapi/operators", "github.com/hashicorp/raft", "know how the log is replicated"},
		{"httpapi/wire", "keyquorum/httpapi/azure", "not below"},
		{"httpapi/operators", "keyquorum/httpapi/azure", "not below"},
		{"cmd/keyquorum", "keyquorum/seal", "only assembles"},
		{"seal", "keyquorum/vault", "point downwards"},
		{"node", "keyquorum/testcluster", "only tests"},
		{"vault", "net/http", "HTTP is the business"},
		{"fsm", "unicode", "differ about an entry"},
		{"cluster", "github.com/prometheus/client_golang/prometheus", "how figures are shown"},
		{"cluster/raftfix", "keyquorum/cluster", "not below"},
		{"cluster/gossip", "keyquorum/cluster/port", "not below"},
		{"cluster/lives", "sync/atomic", "holds the lock"},
		{"cluster", "github.com/hashicorp/memberlist", "cluster/gossip's alone"},
		{"cleverness", "fmt", "nobody has agreed on"},
	}
	for _, h := range holes {
		complaint := judge(imported{room: h.room, path: h.path})
		if !strings.Contains(complaint, h.says) {
			t.Errorf("%s importing %s: the rule says %q, which does not mention %q", h.room, h.path,
				complaint, h.says)
		}
	}
	if complaint := judge(imported{room: "vault", path: "keyquorum/seal"}); complaint != "" {
		t.Errorf("vault may import seal, but the rule says %q", complaint)
	}
	for _, h := range []struct {
		room, path string
		refused    bool
	}{
		{"cluster", "keyquorum/testcluster", true},
		{"node", "keyquorum/httpapi", true},
		{"storage", "keyquorum/internal/testkey", true}, // which stands on fsm
		{"httpapi", "keyquorum/internal/bench", true},   // on testcluster
		{"cluster", "keyquorum/internal/fakenet", false},
		{"cluster", "keyquorum/internal/testkey", false},
		{"fsm", "keyquorum/fsm", false},
		{"fsm", "keyquorum/internal/testkey", false},
		{"cmd/keyquorum", "keyquorum/testcluster", false},
	} {
		if complaint := judge(imported{room: h.room, path: h.path,
			test: true}); (complaint != "") != h.refused {
			t.Errorf("a test of %s importing %s: the rule says %q", h.room, h.path, complaint)
		}
	}
}

// TestOnlyVaultAndNodeSeeKeys says the sentence of the design on its own, so that a change of rooms
// cannot lose it.
func TestOnlyVaultAndNodeSeeKeys(t *testing.T) {
	for room, allowed := range rooms {
		if slices.Contains(allowed, "seal") && room != "vault" && room != "node" &&
			room != "testcluster" {
			t.Errorf("%s is allowed to import seal: who can see a key? Whoever imports seal, and that is vault and node",
				room)
		}
	}
}

// TestNoticeNamesWhatWeImport keeps NOTICE complete.
func TestNoticeNamesWhatWeImport(t *testing.T) {
	notice := read(t, "NOTICE")
	modules := requiredModules(t)
	imported := make(map[string]bool)
	for _, i := range imports(t) {
		imported[moduleOf(i.path, modules)] = true
	}
	delete(imported, "") // the standard library, and our own
	if len(imported) == 0 {
		t.Fatal("no import belongs to a module of go.mod: the rule would hold nothing")
	}
	for m := range imported {
		if !strings.Contains(notice, m+" ") {
			t.Errorf("NOTICE does not name %s, which is imported: add a line with its licence", m)
		}
	}
}

// moduleOf is the longest of modules that a package path lies in, "" for none.
func moduleOf(path string, modules []string) (longest string) {
	for _, m := range modules {
		if (path == m || strings.HasPrefix(path, m+"/")) && len(m) > len(longest) {
			longest = m
		}
	}
	return longest
}

// requiredModules are those of go.mod.
func requiredModules(t *testing.T) (modules []string) {
	for line := range strings.Lines(read(t, "go.mod")) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && strings.HasPrefix(fields[1], "v") {
			modules = append(modules, fields[0])
		}
	}
	return modules
}

func read(t *testing.T, name string) string {
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// imports reads every Go file of the module, also those that a build tag leaves out of this build.
func imports(t *testing.T) (all []imported) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		of, err := importsOf(path)
		all = append(all, of...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("no Go file was found below %s: the rule would hold nothing", root)
	}
	return all
}

func importsOf(path string) (all []imported, err error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	file, err := filepath.Rel(root, path)
	if err != nil {
		return nil, err
	}
	for _, spec := range parsed.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		all = append(all, imported{
			file: file,
			room: filepath.ToSlash(filepath.Dir(file)),
			path: target,
			test: strings.HasSuffix(file, "_test.go"),
		})
	}
	return all, nil
}
