package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/audit"
	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/internal/testkey"
	"keyquorum/seal"
	"keyquorum/vault"
)

const zone = "vault.example"

// A world is a domain over a real state machine with a bootstrapped cluster's records, and whatever
// went into its usage log.
type world struct {
	*vault.Vaults
	t       testing.TB
	replica *replica
	keyring *seal.Keyring
	usage   *usage
	root    vault.Operator
	token   seal.Plaintext
	now     time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, replica: newReplica(t), keyring: newKeyring(t), usage: &usage{},
		now: time.Unix(1_800_000_000, 0)}
	writes, token := must2(vault.Bootstrap(w.keyring, w.now))(t)
	w.token = token
	txn := fsm.New(fsm.Options{}).View().Begin(fsm.Ordinary) // they are sealed for the empty state
	txn.Writes = writes
	for _, write := range writes {
		txn.Conditions = append(txn.Conditions, fsm.Condition{Kind: fsm.Absent, Path: write.Path})
	}
	if o := must(w.replica.Commit(context.Background(), txn))(t); o.Kind != fsm.Applied {
		t.Fatalf("bootstrap: %+v", o)
	}
	w.Vaults = w.node()
	w.root = must(w.AuthenticateOperator(context.Background(), vault.Request{}, token))(t)
	w.usage.forget()
	return w
}

// node is another domain over the same state, keys and usage log.
func (w *world) node() *vault.Vaults {
	w.t.Helper()
	log := audit.OpenSink(w.usage)
	w.t.Cleanup(func() { log.Close() })
	return must(vault.New(vault.Config{Replica: w.replica, Keyring: w.keyring, Audit: log, Node: "n1",
		ClusterID: "c0ffee",
		Now:       func() time.Time { return w.now }}))(w.t)
}

// before has something happen on another node, once, before the next transaction is applied.
func (w *world) before(happen func()) {
	w.replica.before = func() { w.elsewhere(happen) }
}

// elsewhere has calls of w go to another node: here, who writes an object waits for whoever does.
func (w *world) elsewhere(happen func()) {
	here := w.Vaults
	defer func() { w.Vaults = here }()
	w.Vaults = w.node()
	happen()
}

func newKeyring(t testing.TB) *seal.Keyring {
	t.Helper()
	_, _, root, err := seal.Init([16]byte{1}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return must(root.NewKeyring())(t)
}

// vault makes a vault, app an application with one credential, grant lets it do things, caller
// signs it in.
func (w *world) vault(name string) vault.VaultInfo {
	w.t.Helper()
	return must(w.CreateVault(context.Background(), w.root, name, 90, false))(w.t)
}

type app struct {
	vault.App
	credential vault.Credential
	secret     seal.Plaintext
}

func (w *world) app(name string) app {
	w.t.Helper()
	a := must(w.CreateApp(context.Background(), w.root, name))(w.t)
	made, err := w.AddCredential(context.Background(), w.root, name, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return app{a, made.Credential, made.Secret}
}

func (w *world) grant(vaultName, app string, keys, secrets []string) {
	w.t.Helper()
	must(w.SetGrant(context.Background(), w.root, vaultName, app, keys, secrets))(w.t)
}

func (w *world) signIn(a app) string {
	w.t.Helper()
	token, _, err := w.IssueToken(context.Background(), vault.TokenRequest{ClientID: a.ClientID,
		Secret: a.secret, Audience: "https://" + zone + ":8200"})
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) caller(a app, vaultName string) vault.Caller {
	w.t.Helper()
	return vault.Caller{Vault: vaultName,
		Identity: must(w.Authenticate(ctx, []byte(w.signIn(a)), zone))(w.t)}
}

// demo is a world with a vault "demo" and a caller who may do everything there.
func demo(t testing.TB) (*world, vault.Caller) {
	t.Helper()
	w := newWorld(t)
	w.vault("demo")
	a := w.app("web")
	w.grant("demo", "web", []string{"all"}, []string{"all"})
	c := w.caller(a, "demo")
	w.usage.forget()
	return w, c
}

// A replica is a state machine that is driven directly, each transaction encoded and applied at the
// next index.
type replica struct {
	t testing.TB

	key *testkey.Key // signs

	mu       sync.Mutex
	fsm      *fsm.FSM
	index    uint64
	stale    *fsm.View           // what View answers, once, in the place of the newest
	before   func()              // called once, before the next transaction is applied
	refuse   func(fsm.Txn) error // if set, decides whether Commit fails
	unfence  error               // if set, what Read fails with
	late     atomic.Int32        // so many answers take too long
	reads    atomic.Int32        // so many views were taken by Read
	holding  func()              // called while Read waits for what was shown, after its decision
	unleased bool                // Read would have to ask the leader
	noRoom   error               // what NoRoom says
}

func newReplica(t testing.TB) *replica {
	fatal := func(err error) { t.Errorf("the state machine stopped: %v", err) }
	r := &replica{t: t, fsm: fsm.New(fsm.Options{OnFatal: fatal}), index: 1, key: testkey.New(1, 0)}
	founding := must(r.key.Found(fsm.Members{{ID: strings.Repeat("0", 32), Address: "host:8201",
		Voter: true}}))(t)
	if o := r.fsm.Apply(&raft.Log{Index: 1, Type: raft.LogCommand,
		Data: founding}).(fsm.Outcome); o.Kind != fsm.Applied {
		t.Fatalf("the founding transaction: %+v", o)
	}
	return r
}

func (r *replica) View() fsm.View {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v := r.stale; v != nil {
		r.stale = nil
		return *v
	}
	return r.fsm.View()
}

func (r *replica) Read(_ context.Context, _ bool, decide func(fsm.View)) (cluster.Look, error) {
	r.reads.Add(1)
	if r.unfence != nil {
		return cluster.Look{}, r.unfence
	}
	decide(r.fsm.View())
	if r.holding != nil {
		r.holding()
	}
	return cluster.Look{}, nil
}

func (r *replica) NoRoom() error { return r.noRoom }

func (r *replica) Leased() bool { return !r.unleased }

func (r *replica) Fresh(cluster.Look) bool { return r.late.Add(-1) < 0 }

func (r *replica) Wait(ctx context.Context, index uint64) error { return r.fsm.Wait(ctx, index) }

func (r *replica) Commit(_ context.Context, txn fsm.Txn) (fsm.Outcome, error) {
	if before := r.before; before != nil {
		r.before = nil
		before()
	}
	if r.refuse != nil {
		if err := r.refuse(txn); err != nil {
			return fsm.Outcome{}, err
		}
	}
	b, err := txn.Sign(r.key)
	if err != nil {
		r.t.Errorf("a transaction that nobody may send: %v", err)
		return fsm.Outcome{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index++
	return r.fsm.Apply(&raft.Log{Index: r.index, Type: raft.LogCommand, Data: b}).(fsm.Outcome), nil
}

// alter writes bytes as whoever has the log in hand could: at a path, in the place of the record
// that is there.
func (r *replica) alter(path string, change func(fsm.Record) []byte) {
	r.t.Helper()
	view := r.fsm.View()
	record, ok := view.Get(path)
	if !ok {
		r.t.Fatalf("there is no record at %s", path)
	}
	txn := view.Begin(fsm.Ordinary)
	txn.Conditions = []fsm.Condition{{Kind: fsm.Unchanged, Path: path, Index: record.Mod}}
	txn.Writes = []fsm.Write{{Path: path, Logical: record.Mod, Value: change(record)}}
	if o := must(r.Commit(context.Background(), txn))(r.t); o.Kind != fsm.Applied {
		r.t.Fatalf("altering %s: %+v", path, o)
	}
}

// grants are the paths of all that principals may do.
func (w *world) grants() []string {
	return slices.DeleteFunc(w.replica.paths("vault/"), func(path string) bool {
		return !strings.Contains(path, "/access/")
	})
}

// remove takes a record away.
func (r *replica) remove(path string) {
	r.t.Helper()
	txn := r.fsm.View().Begin(fsm.Ordinary)
	record, _ := r.fsm.View().Get(path)
	txn.Conditions = []fsm.Condition{{Kind: fsm.Unchanged, Path: path, Index: record.Mod}}
	txn.Writes = []fsm.Write{{Path: path, Delete: true}}
	if o := must(r.Commit(context.Background(), txn))(r.t); o.Kind != fsm.Applied {
		r.t.Fatalf("removing %s: %+v", path, o)
	}
}

// paths are those of all records below a prefix.
func (r *replica) paths(prefix string) (paths []string) {
	for path := range r.fsm.View().Scan(prefix, "") {
		paths = append(paths, path)
	}
	return paths
}

// A usage is an audit.Sink in memory.
type usage struct {
	mu   sync.Mutex
	b    bytes.Buffer
	fail error // what Write fails with
}

func (u *usage) Write(b []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fail != nil {
		return 0, u.fail
	}
	return u.b.Write(b)
}

func (u *usage) Sync() error  { return nil }
func (u *usage) Close() error { return nil }

func (u *usage) failWith(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fail = err
}

func (u *usage) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.b.Reset()
}

// A use is a line of the usage log.
type use struct {
	Plane, OID, AppID, Accessor, Operation, Vault, Object, Version, With, Code string
	Status                                                                     int
}

func (u *usage) lines(t testing.TB) (uses []use) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	for line := range bytes.Lines(u.b.Bytes()) {
		var l use
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("usage line %q: %v", line, err)
		}
		uses = append(uses, l)
	}
	return uses
}

func (u *usage) last(t testing.TB) use {
	t.Helper()
	lines := u.lines(t)
	if len(lines) == 0 {
		t.Fatal("nothing was recorded")
	}
	return lines[len(lines)-1]
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func must2[A, B any](a A, b B, err error) func(testing.TB) (A, B) {
	return func(t testing.TB) (A, B) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a, b
	}
}

// refused wants err to be a refusal of a kind and code; code is the inner one if there is one.
func refused(t testing.TB, err error, kind vault.Kind, code string) *vault.Error {
	t.Helper()
	var e *vault.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a refusal %s", err, code)
	}
	if got := codeOf(e); e.Kind != kind || got != code {
		t.Fatalf("got %d %s (%s), want %d %s", e.Kind.Status(), got, e.Message, kind.Status(), code)
	}
	return e
}

func codeOf(e *vault.Error) string {
	if e.Inner != "" {
		return e.Inner
	}
	return e.Code
}

func ptr[T any](v T) *T { return &v }

func sorted[T any](items []T, name func(T) string) []string {
	var names []string
	for _, item := range items {
		names = append(names, name(item))
	}
	slices.Sort(names)
	return names
}
