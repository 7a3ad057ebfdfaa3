package testcluster

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/storage"
)

// A Thief has a copy of the folder of a member, and no share. What the folder says he knows; what
// its private key lets him do he can do: he makes calls to the other members (thief_calls.go) and
// speaks with them as a Raft peer (thief_raft.go), whatever the member itself does meanwhile. He
// reaches every node, also one that is cut off from the others.
//
// What he knows of formats is in thief_formats.go and thief_snapshots.go alone.
type Thief struct {
	Node int    // whose folder he took
	ID   string // that node's
	Loot Loot

	c      *Cluster
	others []int // whom he talks with; nil: all that run, but the node itself
	lines  *lines
	caller *caller
	peer   *peer
}

// Steal copies the folder of node i, which may run. A test takes that of a node that is sealed, or
// was removed.
func (c *Cluster) Steal(i int) *Thief {
	c.t.Helper()
	c.mustHave("Steal", i)
	thief, err := c.steal(i)
	c.must(err)
	c.t.Cleanup(thief.Leave)
	return thief
}

func (c *Cluster) steal(i int) (*Thief, error) {
	loot, err := c.copyMember(i)
	if err != nil {
		return nil, err
	}
	thief := &Thief{Node: i, Loot: loot, c: c}
	thief.begin(loot.pair, loot.id)
	return thief, nil
}

// begin gives him the means to speak as a node.
func (t *Thief) begin(pair tls.Certificate, id string) {
	t.ID, t.c.robbed = id, true
	t.lines = &lines{open: map[net.Conn]struct{}{}}
	dial := func(ctx context.Context, node int, protocol string) (net.Conn, error) {
		return t.lines.keep(t.c.dialAs(ctx, pair, node, protocol))
	}
	t.caller, t.peer = newCaller(dial), newPeer(dial)
}

// Leave ends the thief: what he does fails from now on, also what is under way.
func (t *Thief) Leave() {
	t.lines.cut()
	t.caller.close()
	t.peer.close()
}

// Look copies the folder again: a sealed member goes on following, so its folder has what was
// written since.
func (t *Thief) Look() {
	t.c.t.Helper()
	loot, err := t.c.copyMember(t.Node)
	t.c.must(err)
	t.Loot = loot
}

// Others are the members that he talks with: all that run, but the one whose folder he took.
func (t *Thief) Others() (nodes []int) {
	if t.others != nil {
		return t.others
	}
	for _, i := range t.c.all() {
		if i != t.Node {
			nodes = append(nodes, i)
		}
	}
	return nodes
}

// TalkWith has him talk with some members only; with none named, with all that run.
func (t *Thief) TalkWith(nodes ...int) { t.others = nodes }

// lines are the connections of a thief.
type lines struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
	over bool
}

var errLeft = errors.New("testcluster: the thief has left")

// keep takes what a dial returned.
func (l *lines) keep(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		conn.Close()
		return nil, errLeft
	}
	l.open[conn] = struct{}{}
	return conn, nil
}

// cut breaks them all, for ever.
func (l *lines) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for conn := range l.open {
		conn.Close()
	}
	clear(l.open)
}

// copies numbers the copies of folders.
var copies atomic.Int64

// copyMember reads a copy of what is in node i's folder as a member. The node may be writing: it is
// copied until a copy is whole.
func (c *Cluster) copyMember(i int) (loot Loot, err error) {
	for range 100 {
		var dir string
		if dir, err = c.copyFolder(filepath.Join(c.Data(i), "cluster")); err != nil {
			return loot, err
		}
		loot, err = readLoot(dir)
		if err = errors.Join(err, os.RemoveAll(dir)); err == nil {
			return loot, nil
		}
	}
	return loot, fmt.Errorf("testcluster: no copy of node %d's folder is whole: %w", i, err)
}

// copyFolder copies a folder that may change meanwhile: files that vanish are left out.
func (c *Cluster) copyFolder(from string) (string, error) {
	to := filepath.Join(c.Dir, fmt.Sprint("copy", copies.Add(1)))
	return to, filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return ignoreVanished(err)
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return ignoreVanished(err)
		}
		return os.WriteFile(target, b, 0o600)
	})
}

func ignoreVanished(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// certificateIn is the certificate in a member's folder with its private key, and the node id that
// it is for.
func certificateIn(dir string) (pair tls.Certificate, id string, err error) {
	der, err := os.ReadFile(filepath.Join(dir, fileCertificate))
	if err != nil {
		return pair, "", err
	}
	b, err := os.ReadFile(filepath.Join(dir, fileKey))
	if err != nil {
		return pair, "", err
	}
	key, err := x509.ParseECPrivateKey(b)
	if err != nil {
		return pair, "", err
	}
	return certificateOf(der, key)
}

func certificateOf(der []byte, key *ecdsa.PrivateKey) (pair tls.Certificate, id string, err error) {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return pair, "", err
	}
	if len(leaf.URIs) != 1 || len(leaf.URIs[0].Path) < 2 {
		return pair, "", errors.New("testcluster: the certificate names no node")
	}
	pair = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	return pair, leaf.URIs[0].Path[1:], nil
}

// dialAs opens a connection with a node's cluster port as the holder of a certificate.
func (c *Cluster) dialAs(
	ctx context.Context, pair tls.Certificate, node int, protocol string,
) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	raw, err := c.kind.dial(ctx, node, clusterPort)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protocol},
		Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true, // a thief trusts everybody
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// A Loot is what can be read in a copy of a member's folder.
type Loot struct {
	Entries   []raft.Log // of the log, oldest first
	Snapshots []Snapshot // newest first
	Old       []Record   // every version of every record that stands anywhere, oldest first

	now      fsm.View // what the folder makes of it
	digestAt func(index uint64) ([32]byte, bool)
	trust    cluster.Trust
	pair     tls.Certificate
	id       string
}

// A Snapshot is a snapshot on disk.
type Snapshot struct {
	Meta  raft.SnapshotMeta
	State []byte
}

// A Record is one version of a record.
type Record struct {
	Path         string
	Logical, Mod uint64
	Value        []byte
}

// readLoot reads the log and the snapshots of a copy, which storage opens and checks as a node
// would.
func readLoot(dir string) (l Loot, err error) {
	if l.pair, l.id, err = certificateIn(dir); err != nil {
		return l, err
	}
	trust, err := os.ReadFile(filepath.Join(dir, fileTrust))
	if err != nil {
		return l, err
	}
	if l.trust, err = cluster.DecodeTrust(trust); err != nil {
		return l, err
	}
	store, err := storage.Open(dir)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if l.Snapshots, err = readSnapshots(store.Snapshots()); err != nil {
		return l, err
	}
	if l.Entries, err = readEntries(store.Logs()); err != nil {
		return l, err
	}
	return l, l.take()
}

func readEntries(logs raft.LogStore) (entries []raft.Log, err error) {
	first, err := logs.FirstIndex()
	if err != nil || first == 0 {
		return nil, err
	}
	last, err := logs.LastIndex()
	if err != nil {
		return nil, err
	}
	for i := first; i <= last; i++ {
		var l raft.Log
		switch err := logs.GetLog(i, &l); {
		case errors.Is(err, raft.ErrLogNotFound): // behind a snapshot that overtook the log
		case err != nil:
			return nil, err
		default:
			entries = append(entries, l)
		}
	}
	return entries, nil
}

func readSnapshots(store raft.SnapshotStore) (all []Snapshot, err error) {
	metas, err := store.List()
	if err != nil {
		return nil, err
	}
	for _, m := range metas {
		_, r, err := store.Open(m.ID)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		_, err = b.ReadFrom(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return nil, err
		}
		all = append(all, Snapshot{*m, b.Bytes()})
	}
	return all, nil
}

// Accusations are the lines of the running nodes' logs that warn of the node with an id.
func (c *Cluster) Accusations(id string) (lines []string) {
	c.t.Helper()
	for i := range c.size {
		log, err := c.kind.log(i)
		c.must(err)
		for line := range bytes.Lines(log) {
			if accuses(line, id) {
				lines = append(lines, nodeName(i)+": "+string(bytes.TrimSpace(line)))
			}
		}
	}
	return lines
}

// Unjust are the lines in which a node accuses another, though everybody was a member in good order
// all the time: no fault of machines and networks may look like a crime.
func (c *Cluster) Unjust() (lines []string) {
	c.t.Helper()
	if c.robbed {
		return nil
	}
	for i := range c.size {
		log, err := c.kind.log(i)
		c.must(err)
		for line := range bytes.Lines(log) {
			if bytes.Contains(line, []byte("a node does what no member does")) {
				lines = append(lines, nodeName(i)+": "+string(bytes.TrimSpace(line)))
			}
		}
	}
	return lines
}

// Configurations are those in node i's log and snapshots, oldest first.
func (c *Cluster) Configurations(i int) (all []raft.Configuration) {
	c.t.Helper()
	loot, err := c.copyMember(i)
	c.must(err)
	for _, s := range slices.Backward(loot.Snapshots) {
		all = append(all, s.Meta.Configuration)
	}
	for _, e := range loot.Entries {
		if e.Type == raft.LogConfiguration {
			all = append(all, decodeConfiguration(e.Data))
		}
	}
	return all
}
