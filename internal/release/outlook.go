package release

import (
	"fmt"
	"slices"
	"strings"
)

// A Node is a member of a cluster, and what it said of its program.
type Node struct {
	Name    string
	Known   bool // it has said so to whoever tells
	Release Release
}

// Outlook says in sentences what is to be known of the programs of a cluster's nodes: none where
// all are alike. own is the program of whoever tells.
func Outlook(own Release, cluster Level, nodes []Node) (sentences []string) {
	if versions := byVersion(nodes); len(versions) > 1 {
		sentences = append(sentences, "Nodes run different versions: "+strings.Join(versions, "; ")+".")
	}
	next := Level(0)
	for _, n := range nodes {
		if why := own.Refuses(n.Release, cluster); n.Known && why != "" {
			sentences = append(sentences, fmt.Sprintf("Node %s takes no part: it %s.", n.Name, why))
		} else if n.Known {
			next = max(next, n.Release.Newest)
		}
	}
	if next > cluster {
		sentences = append(sentences, fmt.Sprintf("The cluster is at level %d; what needs level %d "+
			"waits until %s.", cluster, cluster+1, upgraded(nodes, cluster+1)))
	}
	return sentences
}

// byVersion lists versions, in order, each with who runs it.
func byVersion(nodes []Node) (lists []string) {
	names := map[string][]string{}
	for _, n := range nodes {
		if n.Known && n.Release.Version != "" {
			names[n.Release.Version] = append(names[n.Release.Version], n.Name)
		}
	}
	for version, of := range names {
		slices.Sort(of)
		lists = append(lists, strings.Join(of, ", ")+" "+version)
	}
	slices.Sort(lists)
	return lists
}

// upgraded says who keeps a cluster from a level: who must be upgraded, or heard.
func upgraded(nodes []Node, level Level) string {
	var behind, silent []string
	for _, n := range nodes {
		switch {
		case !n.Known:
			silent = append(silent, n.Name)
		case n.Release.Newest < level:
			behind = append(behind, n.Name)
		}
	}
	var parts []string
	if len(behind) > 0 {
		parts = append(parts, listed(behind, " is upgraded", " are upgraded"))
	}
	if len(silent) > 0 {
		parts = append(parts, listed(silent, " answers", " answer"))
	}
	if len(parts) == 0 {
		return "the leader has asked all nodes, in a moment"
	}
	return strings.Join(parts, " and ")
}

// listed puts names before a verb.
func listed(names []string, one, several string) string {
	slices.Sort(names)
	if len(names) == 1 {
		return names[0] + one
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last] + several
}

// A Waiting says why a write is refused: not all nodes can apply it yet. Nothing was done.
type Waiting struct {
	Feature Feature
	Cluster Level
	Until   string // who has to be upgraded, or to answer
}

// Wait says why a feature waits in a cluster of these nodes; nil where it need not.
func (f Feature) Wait(cluster Level, nodes []Node) error {
	if cluster >= f.Level {
		return nil
	}
	return &Waiting{f, cluster, upgraded(nodes, f.Level)}
}

func (w *Waiting) Error() string {
	return fmt.Sprintf("%s needs level %d and the cluster is at level %d: it waits until %s",
		w.Feature.Name, w.Feature.Level, w.Cluster, w.Until)
}
