package recovery

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/node"
)

// maxRemnants is more than any cluster has members.
const maxRemnants = 256

// RecoverCommand is operator recover.
func RecoverCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "recover FOLDER|SNAPSHOT...",
		Short: "Make a new cluster of what is left of one: folders of members, or a snapshot",
		Long: "Make a new cluster of what is left of one, when too many members are gone for " +
			"it to go on, or when there is nothing but a snapshot. Name the data folders that " +
			"are left, of nodes that are stopped, or the file of a snapshot. The command shows " +
			"how far each goes, and what could be missing. With --into it asks for unseal " +
			"shares and makes the data folder of one new node, which goes on from the best of " +
			"them. All nodes of before are removed for ever: empty their folders, and have " +
			"them join the new node. What is named is kept as it is, and no node is asked.",
		Example: "  keyquorum operator recover /var/lib/keyquorum\n" +
			"  keyquorum operator recover backup.snap --into /var/lib/keyquorum " +
			"--cluster-address 10.0.0.1:8201",
		Args: console.Arguments(1, maxRemnants), ValidArgsFunction: console.Files,
	}
	format := console.FormatFlag(c)
	to := node.Recovery{}
	c.Flags().StringVar(&to.Dir, "into", "",
		"data `folder` of the new node; without it nothing is made")
	c.Flags().StringVar(&to.ClusterAddr, "cluster-address", "",
		"`host:port` at which other nodes will reach the new one, as in its configuration")
	c.RunE = func(c *cobra.Command, args []string) error {
		if (to.Dir == "") != (to.ClusterAddr == "") {
			return errors.New("--into and --cluster-address go together: a folder for the new " +
				"node, and where others will reach it")
		}
		all, err := remnants(c, args)
		if err != nil {
			return err
		}
		judged, err := node.Judge(all)
		if err != nil {
			return err
		}
		best, report := judged.Best, reportOf(all, judged)
		if to.Dir == "" {
			return report.print(c, format)
		}
		if err := best.May(to); err != nil {
			return err
		}
		console.Tell(c, c.ErrOrStderr(), "%s\n", report.Missing)
		given, err := askShares(c, &best.LockedState)
		given.clear()
		if err != nil {
			return err
		}
		to.Now = time.Now()
		if report.NewNode, err = best.Recover(to); err != nil {
			return err
		}
		return report.printMade(c, format, to)
	}
	return c
}

func remnants(c *cobra.Command, paths []string) (all []*node.Remnant, err error) {
	for _, path := range paths {
		done := console.Waiting(c.ErrOrStderr(), "Reading "+path)
		r, err := node.ReadRemnant(path)
		done()
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// A report says what there is and what was made of it.
type report struct {
	Cluster        string    `json:"cluster"`
	Generation     uint64    `json:"generation"`
	TransactionKey string    `json:"first_transaction_key"`
	Shares         int       `json:"unseal_shares"`
	Threshold      int       `json:"unseal_threshold"`
	Voters         int       `json:"voters"`
	Found          []remnant `json:"found"`
	Best           string    `json:"best"`
	Complete       bool      `json:"complete"` // no acknowledged write is missing
	Missing        string    `json:"missing"`  // that in words
	NewNode        string    `json:"new_node,omitempty"`
}

type remnant struct {
	Path   string     `json:"path"`
	Node   string     `json:"node,omitempty"`
	Index  uint64     `json:"index"`
	Term   uint64     `json:"term,omitempty"`
	Newest *time.Time `json:"newest,omitempty"`
	Digest string     `json:"digest"`
}

func reportOf(all []*node.Remnant, judged node.Judgement) report {
	best := judged.Best
	r := report{
		Cluster: best.Cluster, Generation: best.Generation, TransactionKey: best.TransactionKey,
		Shares: best.Shares, Threshold: best.Threshold, Voters: len(best.Voters), Best: best.Path,
		Complete: judged.Doubt == node.Complete, Missing: missing(judged),
	}
	for _, one := range all {
		found := remnant{one.Path, one.NodeID, one.Index, one.Term, nil, one.Digest}
		if !one.Newest.IsZero() {
			found.Newest = &one.Newest
		}
		r.Found = append(r.Found, found)
	}
	return r
}

// missing says which acknowledged writes the best remnant could be without.
func missing(judged node.Judgement) string {
	best := judged.Best
	since := "at a time that is not known"
	if !best.Newest.IsZero() {
		since = "at " + console.TimeText(best.Newest)
	}
	could := "Acknowledged writes could be missing: "
	newest := fmt.Sprintf(" The newest that %s has was written %s.", best.Path, since)
	switch judged.Doubt {
	case node.Complete:
		return fmt.Sprintf("No acknowledged write is missing from %s, if the folders are as "+
			"their nodes left them: of %d voters so many are here that each write is in one of "+
			"them, and this one goes farthest.", best.Path, len(best.Voters))
	case node.OnlySnapshot:
		return "Every write after the snapshot was taken is missing. By its own word that was " +
			since + "."
	case node.Changing:
		return could + "the voters were being changed, and others may have counted." + newest
	case node.Older:
		return could + "a folder lacks what its node had told another. It is a copy, or was put " +
			"back." + newest
	case node.TooOld:
		return could + "the folders are too far apart to tell that they are of one history." +
			newest
	}
	return could + "those that other members acknowledged without this one." + newest +
		" Name more folders, if there are any."
}

func (r report) print(c *cobra.Command, format *console.Format) error {
	t := console.NewTable("Where", "Node", "Index", "Term", "Newest entry")
	for _, f := range r.Found {
		node, term := any("snapshot"), any(nil)
		if f.Node != "" {
			node, term = f.Node, f.Term
		}
		t.Add(f.Path, node, f.Index, term, console.TimeOrNot(f.Newest))
	}
	if err := format.Print(c, r, t); err != nil || *format != "table" {
		return err
	}
	console.Tell(c, c.OutOrStdout(), "\nThe cluster's first transaction key is %s.\n\n%s\n\n"+
		"This takes %d of %d unseal shares. To make a new cluster of it, stop every node of this "+
		"one, and say with --into and --cluster-address where.",
		r.TransactionKey, r.Missing, r.Threshold, r.Shares)
	return nil
}

func (r report) printMade(c *cobra.Command, format *console.Format, to node.Recovery) error {
	if *format == "json" {
		return format.Print(c, r, console.Table{})
	}
	console.Tell(c, c.OutOrStdout(),
		"Made node %s in %s: the one member of cluster %s, in generation %d.\n\nStart it with "+
			"this data folder and the cluster address %s, and unseal it with the same shares. Then "+
			"empty the folders of the other nodes, start them, and have them join it (keyquorum "+
			"operator raft join). Do not start any with its old folder.\n\nIf a node was removed "+
			"because it was stolen, and this cluster may not know of it, change the authority and "+
			"the gossip key (keyquorum operator rotate).",
		r.NewNode, to.Dir, r.Cluster, r.Generation+1, to.ClusterAddr)
	return nil
}
