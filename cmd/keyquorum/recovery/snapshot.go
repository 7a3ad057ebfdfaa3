// Package recovery has the commands for what is left when a cluster is not: files of snapshots,
// which it fetches and checks, and folders of members, out of which it makes a new cluster.
package recovery

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/node"
)

// SnapshotCommand is the group snapshot. stores are those of a server's configuration.
func SnapshotCommand(k *operator.Connection, stores Stores) *cobra.Command {
	return console.Group("snapshot", "Save snapshots of the cluster, and look at saved ones", save(k),
		list(stores), inspect(), verify(), restore(k))
}

func save(k *operator.Connection) *cobra.Command {
	c := &cobra.Command{
		Use: "save FILE", Short: "Save a snapshot of everything in the cluster to a file",
		Long: "Save a snapshot of everything in the cluster to a file. It holds all that was " +
			"acknowledged before, encrypted: it is worth nothing without the unseal shares, " +
			"and they open it for ever. A FILE that is there already is kept, and nothing is " +
			"saved. With --overwrite it is replaced when the snapshot is whole, and not before.",
		Example: "  keyquorum operator raft snapshot save backup.snap",
		Args:    console.Arguments(1, 1), ValidArgsFunction: console.Files,
	}
	format := console.FormatFlag(c)
	overwrite := c.Flags().Bool("overwrite", false, "replace FILE if it is there")
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		into, err := newFile(args[0], *overwrite)
		if err != nil {
			return err
		}
		defer into.discard()
		done := console.Progress(c.ErrOrStderr(), 2*time.Second, func() string {
			return fmt.Sprintf("%d MiB saved", into.bytes.Load()>>20)
		})
		err = api.Fetch(c.Context(), "/v1/sys/storage/raft/snapshot", into)
		done()
		if err != nil {
			return err
		}
		meta, err := into.keep()
		if err != nil {
			return err
		}
		return format.Print(c, meta, console.Pairs("File", args[0], "Bytes", into.bytes.Load(),
			"Cluster", meta.Cluster, "Index", meta.Index, "Generation", meta.Generation,
			"Digest", meta.Digest, "Taken", console.TimeText(meta.Taken)))
	}
	return c
}

// A file is written beside its name, and gets that when it is whole.
type file struct {
	part      *os.File // no part of its methods: what is copied to it is to be counted
	name      string
	overwrite bool // replace what has the name
	bytes     atomic.Int64
}

// newFile refuses a name that is taken at once, and not when a long snapshot is there.
func newFile(name string, overwrite bool) (*file, error) {
	if _, err := os.Lstat(name); err == nil && !overwrite {
		return nil, errTaken(name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".part-*") // mode 0600
	return &file{part: f, name: name, overwrite: overwrite}, err
}

func errTaken(name string) error {
	return fmt.Errorf("%s is there already, and was kept: name another file, or say --overwrite to "+
		"replace it", name)
}

func (f *file) Write(b []byte) (int, error) {
	n, err := f.part.Write(b)
	f.bytes.Add(int64(n))
	return n, err
}

// keep reads the file once more, from its beginning, before it takes its name.
func (f *file) keep() (meta node.SnapshotMeta, err error) {
	if err = f.part.Sync(); err != nil {
		return meta, err
	}
	if _, err = f.part.Seek(0, io.SeekStart); err != nil {
		return meta, err
	}
	if meta, err = node.CheckSnapshot(f.part); err != nil {
		return meta, console.Exit(2,
			fmt.Errorf("the node sent no whole snapshot, and %s is as it was: %w",
				f.name, err))
	}
	if err = f.give(); err != nil {
		return meta, err
	}
	dir, err := os.Open(filepath.Dir(f.name))
	if err != nil {
		return meta, err
	}
	defer dir.Close()
	return meta, dir.Sync() // else a power cut takes the name, and who removes older ones has neither
}

// give gives the file its name. A link is never made over a name that somebody took meanwhile; on a
// file system without links that is looked at before.
func (f *file) give() error {
	if f.overwrite {
		return os.Rename(f.part.Name(), f.name)
	}
	err := os.Link(f.part.Name(), f.name)
	if err == nil {
		return nil // discard removes the other name
	}
	if _, taken := os.Lstat(f.name); taken == nil {
		return errTaken(f.name)
	}
	return os.Rename(f.part.Name(), f.name)
}

// discard closes the file, and removes the name that it was written under.
func (f *file) discard() {
	f.part.Close()
	os.Remove(f.part.Name())
}

// contents is what inspect and verify print.
type contents struct {
	node.SnapshotMeta
	Members        int    `json:"members"`
	Shares         int    `json:"unseal_shares"`
	Threshold      int    `json:"unseal_threshold"`
	TransactionKey string `json:"first_transaction_key"`
	node.Census
	RecordsThatOpen int `json:"records_that_open,omitempty"`
}

func contentsOf(s *node.SnapshotFile) contents {
	return contents{
		SnapshotMeta: s.Meta, Members: s.Members, Shares: s.Shares, Threshold: s.Threshold,
		TransactionKey: s.TransactionKey, Census: s.Census,
	}
}

func (s contents) table() console.Table {
	return console.Pairs(
		"Cluster", s.Cluster, "Taken", console.TimeText(s.Taken), "Written by", s.Program,
		"Index", s.Index, "Generation", s.Generation, "Digest", s.Digest,
		"First transaction key", s.TransactionKey, "Members", s.Members,
		"Unseal shares", fmt.Sprintf("%d of %d", s.Threshold, s.Shares),
		"Vaults", s.Vaults, "Applications", s.Applications,
		"Secrets", fmt.Sprintf("%d in %d versions", s.Secrets, s.SecretVersions),
		"Keys", fmt.Sprintf("%d in %d versions", s.Keys, s.KeyVersions), "Records", s.Records)
}

func inspect() *cobra.Command {
	c := &cobra.Command{
		Use: "inspect FILE", Short: "Show what is in a snapshot, without a node and without shares",
		Example: "  keyquorum operator raft snapshot inspect backup.snap",
		Args:    console.Arguments(1, 1), ValidArgsFunction: console.Files,
	}
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := read(c, args[0])
		if err != nil {
			return err
		}
		out := contentsOf(s)
		return format.Print(c, out, out.table())
	}
	return c
}

func verify() *cobra.Command {
	c := &cobra.Command{
		Use: "verify FILE", Short: "Check every byte of a snapshot, and with shares open every record",
		Long: "Check every byte of a snapshot: its checksums, the digest of its state, and the " +
			"signatures of what is in it. With --open, give as many unseal shares as unseal a " +
			"node; then every record is opened as well, and nothing of it is shown. Do that on " +
			"a machine that may see the shares. No node is asked.",
		Example: "  keyquorum operator raft snapshot verify backup.snap\n" +
			"  keyquorum operator raft snapshot verify --open backup.snap",
		Args: console.Arguments(1, 1), ValidArgsFunction: console.Files,
	}
	format := console.FormatFlag(c)
	open := c.Flags().Bool("open", false, "ask for unseal shares and open every record")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := read(c, args[0])
		if err != nil {
			return err
		}
		out := contentsOf(s)
		said := fmt.Sprintf("%s is whole and as it was written. Who wrote it only --open tells.", args[0])
		if *open {
			if out.RecordsThatOpen, err = openAll(c, s); err != nil {
				return err
			}
			said = fmt.Sprintf("%s is whole, an unsealed node of the cluster wrote it, and all %d sealed "+
				"records open.", args[0], out.RecordsThatOpen)
		}
		if err := format.Print(c, out, out.table()); err != nil || *format != "table" {
			return err
		}
		console.Tell(c, c.OutOrStdout(), "\n%s", said)
		return nil
	}
	return c
}

func read(c *cobra.Command, name string) (*node.SnapshotFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer console.Waiting(c.ErrOrStderr(), "Reading "+name)()
	s, err := node.ReadSnapshotFile(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; take another one (keyquorum operator raft snapshot list shows "+
			"what a schedule has kept)", name, err)
	}
	return s, nil
}

// openAll asks for shares and opens everything.
func openAll(c *cobra.Command, s *node.SnapshotFile) (int, error) {
	given, err := askShares(c, &s.LockedState)
	given.clear()
	if err != nil {
		return 0, err
	}
	var looked atomic.Int64
	defer console.Progress(c.ErrOrStderr(), 2*time.Second, func() string {
		return fmt.Sprintf("%d of %d records looked at", looked.Load(), s.Census.Records)
	})()
	return s.OpenAll(c.Context(), func(records int) { looked.Store(int64(records)) })
}
