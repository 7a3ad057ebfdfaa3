package recovery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/node/schedule"
)

// Stores are where a server with that configuration file keeps scheduled snapshots, by what its
// environment says as well.
type Stores func(config string) ([]schedule.Store, error)

// Bounds of what a store is asked.
const (
	listWait  = 2 * time.Minute
	fetchWait = 6 * time.Hour
)

// A source is the schedule that a command was told of.
type source struct {
	stores          Stores
	config, cluster string
}

func (s Stores) flags(c *cobra.Command) *source {
	of := &source{stores: s}
	c.Flags().StringVar(&of.config, "config", "",
		"file with the server's settings, in which the schedule is (default KEYQUORUM_CONFIG)")
	c.Flags().StringVar(&of.cluster, "cluster", "",
		"`id` of the cluster whose snapshots are meant, where several keep theirs in one place")
	return of
}

// A kept snapshot is one of a schedule's, and where it is.
type kept struct {
	schedule.Kept
	store schedule.Store
}

// place is where it is, for people.
func (k kept) place() string {
	if folder, is := k.store.(schedule.Folder); is {
		return folder.Path(k.Name)
	}
	return k.store.String() + k.Name.String()
}

// all are the snapshots of every store, the newest first. The error says which store can't be
// looked into; those of the others are there.
func (s *source) all(c *cobra.Command) (all []kept, err error) {
	stores, err := s.stores(s.config)
	if err != nil {
		return nil, err
	}
	for _, store := range stores {
		found, unread := listOf(c, store)
		if unread != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w; look whether it is there, and in reach from this "+
				"machine (keyquorum server --check looks at what its settings say)", store, unread))
		}
		for _, k := range found {
			if s.cluster == "" || s.cluster == k.Cluster {
				all = append(all, kept{k, store})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b kept) int { return schedule.Newer(a.Name, b.Name) })
	return all, err
}

func listOf(c *cobra.Command, store schedule.Store) ([]schedule.Kept, error) {
	ctx, cancel := context.WithTimeout(c.Context(), listWait)
	defer cancel()
	defer console.Waiting(c.ErrOrStderr(), "Listing "+store.String())()
	return store.List(ctx)
}

// newest is the newest of one cluster, out of the stores that can be looked into.
func (s *source) newest(c *cobra.Command) (kept, error) {
	all, err := s.all(c)
	switch {
	case len(all) == 0 && err != nil:
		return kept{}, err
	case len(all) == 0:
		return kept{}, errors.New("the schedule has kept no snapshot yet")
	case err != nil:
		console.Tell(c, c.ErrOrStderr(), "%s", err)
	}
	var clusters []string
	for _, k := range all {
		if !slices.Contains(clusters, k.Cluster) {
			clusters = append(clusters, k.Cluster)
		}
	}
	if len(clusters) > 1 {
		return kept{}, fmt.Errorf("there are snapshots of several clusters: say with --cluster "+
			"which is meant: %s", strings.Join(clusters, ", "))
	}
	return all[0], nil
}

// fetch brings a snapshot onto this machine, into a folder that remove removes, unless it is there.
func (k kept) fetch(c *cobra.Command, scratch string) (path string, remove func(), err error) {
	if folder, is := k.store.(schedule.Folder); is {
		return folder.Path(k.Name), func() {}, nil
	}
	dir, err := os.MkdirTemp(scratch, "keyquorum-fetch-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	into, err := os.OpenFile(filepath.Join(dir, k.Name.String()), os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		done := console.Waiting(c.ErrOrStderr(), "Fetching "+k.place())
		ctx, cancel := context.WithTimeout(c.Context(), fetchWait)
		err = errors.Join(k.store.Get(ctx, k.Name, into), into.Close())
		cancel()
		done()
	}
	if err != nil {
		remove()
		return "", nil, fmt.Errorf("%s: %w", k.place(), err)
	}
	return into.Name(), remove, nil
}

// listed is what list says of one snapshot.
type listed struct {
	Store      string    `json:"store"`
	Name       string    `json:"name"`
	Cluster    string    `json:"cluster"`
	Due        time.Time `json:"due"`
	Generation uint64    `json:"generation"` // of recoveries
	Restores   uint64    `json:"restores"`
	Bytes      int64     `json:"bytes"`
}

func list(stores Stores) *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List the snapshots that the server's schedule keeps",
		Long: "List the snapshots that the schedule in the server's configuration keeps, the " +
			"newest first. No node is asked: the command looks into the folder and the bucket, " +
			"with the credentials that the server has.",
		Example: "  keyquorum operator raft snapshot list --config /etc/keyquorum/keyquorum.hcl",
		Args:    console.Arguments(0, 0),
	}
	of := stores.flags(c)
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		all, unread := of.all(c)
		out := struct {
			Kept []listed `json:"kept"`
		}{[]listed{}}
		t := console.NewTable("Due", "Bytes", "Where").WhenEmpty("No snapshot is kept yet.")
		for _, k := range all {
			out.Kept = append(out.Kept, listed{k.store.String(), k.Name.String(), k.Cluster, k.Due,
				k.Generation, k.Restores, k.Bytes})
			t.Add(console.TimeText(k.Due), k.Bytes, k.place())
		}
		if len(all) == 0 && unread != nil {
			return unread
		}
		return errors.Join(format.Print(c, out, t), unread)
	}
	return c
}
