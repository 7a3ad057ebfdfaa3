package cluster

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// A deed is what a member with its own key and disk, running this program, never does: somebody
// else holds the key, the program was changed, or the disk is not what it was (outcast.go). The
// word is for metrics, the sentence for people.
type deed struct{ word, says string }

var (
	deedUnsigned = deed{"unsigned-transaction",
		"sent a transaction that no unsealed member signed"}
	deedEntry = deed{"unsigned-entry",
		"led, and had an entry in the log that no unsealed member signed"}
	deedConfiguration = deed{"configuration", "led with a configuration of members that nobody signed"}
	deedRewrite       = deed{"rewrite", "led, and wanted entries replaced that were committed"}
	deedKind          = deed{"entries", "led, and sent entries that no log has"}
	deedBesides       = deed{"second-leader", "led in a term that another node leads in"}
	deedTerm          = deed{"term", "jumped to a term that nobody is in"}
	deedSnapshot      = deed{"snapshot", "sent a snapshot that nobody vouched for, or an old one"}
	deedName          = deed{"name", "spoke Raft in the name of another node"}
	deedOrder         = deed{"order", "gave an order that no unsealed member signed"}
	deedStand         = deed{"stand", "told a node to stand for election that it does not lead"}
	deedStale         = deed{"stale-entry",
		"led, and had an entry in the log that was signed long ago"}
	deedKey = deed{"key", "showed a certificate with a key that is not, or no longer, that node's"}
)

// An Accusation is what a node was caught at.
type Accusation struct {
	_          struct{} `cbor:",toarray"`
	Node       string
	Deed, Says string // a word, and a sentence that goes on after the node's name
	Times      uint64
	Last       time.Time
}

// nameless stands for a node that nobody could tell.
const nameless = "(unknown)"

// Nameless says that nobody could tell which node it was.
func (a Accusation) Nameless() bool { return a.Node == nameless }

// maxAccusations bounds what is kept: a few deeds of each member.
const maxAccusations = 256

// accusations are what this node has seen, since it was opened.
type accusations struct {
	mu     sync.Mutex
	list   []Accusation
	beyond time.Time // when one that the list has no place for was told last
}

// accuse notes a deed, and says so in the log, at most once a minute for each node and deed,
// and for all together that the list has no place for.
func (c *Cluster) accuse(node string, d deed, details ...any) {
	if node == "" {
		node = nameless
	}
	if c.accused.note(node, d, c.wall()) {
		says := "a node does what no member does: if its disk was stolen, remove it"
		if isDiskDeed(d.word) {
			accusation := Accusation{Node: node, Deed: d.word}
			says = "a node is not what it was, and is refused: " + accusation.Advice()
		}
		c.logger.Error(says, append([]any{"node", c.nameOf(node), "deed", d.says}, details...)...)
	}
}

func (a *accusations) note(node string, d deed, now time.Time) (tell bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.list,
		func(x Accusation) bool { return x.Node == node && x.Deed == d.word })
	if i < 0 && len(a.list) < maxAccusations {
		a.list = append(a.list, Accusation{Node: node, Deed: d.word, Says: d.says, Times: 1, Last: now})
		return true
	}
	if i < 0 {
		if tell = now.Sub(a.beyond) > time.Minute; tell {
			a.beyond = now
		}
		return tell
	}
	x := &a.list[i]
	tell = now.Sub(x.Last) > time.Minute
	x.Times++
	if tell {
		x.Last = now
	}
	return tell
}

// Accusations are what this node has caught others at since it was opened, by node and deed.
func (c *Cluster) Accusations() []Accusation {
	c.accused.mu.Lock()
	defer c.accused.mu.Unlock()
	list := slices.Clone(c.accused.list)
	slices.SortFunc(list, func(a, b Accusation) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Deed, b.Deed))
	})
	return list
}
