package cluster

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// A term has one leader. This member goes by the first that leads in a term here, and refuses all
// others: Raft would follow each, and take entries of one term from two, which it can't tell apart.
//
// The first may be a thief, so that being second is no deed. When two lead in a term the voters are
// asked whom they have voted for. Who has the votes of a majority takes the place of a first that
// has not, if no entry of that one was taken; else this member leaves the term, since it can't
// follow anybody in it, and has its leader step down. So it does if it stands in vain while the
// votes tell nothing: a thief may say that he did not vote. He may also have voted twice: named is
// only who had no majority even so. Of three voters only the leader names anybody: it had the votes
// itself.
//
// A process that starts knows of no claims, and goes by the first that it hears.

// A claim is what is known of who leads in a term.
type claim struct {
	leader string   // whom this member goes by
	heard  []string // all that led in it
	takes  bool     // entries of the leader were handed to Raft
	asked  time.Time
}

// claims are those of the terms from Raft's on.
type claims struct {
	mu     sync.Mutex
	byTerm map[uint64]*claim
}

// besides says whether a peer leads beside the leader of a term: this member, or whom it goes by.
func (c *Cluster) besides(peer string, term uint64) bool {
	if term < c.raft.CurrentTerm() {
		return false // Raft refuses it
	}
	if c.leader() == c.id && term == c.raft.CurrentTerm() {
		c.accuse(peer, deedBesides, "term", term) // this member had the votes
		return true
	}
	c.reigns.mu.Lock()
	defer c.reigns.mu.Unlock()
	known := c.reigns.byTerm[term]
	return known != nil && c.second(known, peer, term)
}

// claims notes that a peer leads in a term, before Raft is handed its request. false: somebody else
// does.
func (c *Cluster) claims(peer string, term uint64, takes bool) bool {
	now := c.raft.CurrentTerm()
	if term < now {
		return true
	}
	r := &c.reigns
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.byTerm[term]
	if known == nil {
		for old := range r.byTerm {
			if old < now {
				delete(r.byTerm, old)
			}
		}
		known = &claim{leader: peer, heard: []string{peer}}
		r.byTerm[term] = known
	}
	if c.second(known, peer, term) {
		return false
	}
	known.takes = known.takes || takes
	return true
}

// second says whether a peer is not whom this member goes by, and has it found out who was elected,
// once in a while. The claims are locked.
func (c *Cluster) second(known *claim, peer string, term uint64) bool {
	if known.leader == peer {
		return false
	}
	if !slices.Contains(known.heard, peer) {
		known.heard = append(known.heard, peer)
	}
	if time.Since(known.asked) > askVotesEvery {
		known.asked = time.Now()
		c.tasks.begin(func() { c.settleReign(term) })
	}
	return true
}

// askVotesEvery is how often voters are asked for their votes, who answer within less.
const askVotesEvery = 500 * time.Millisecond

// settleReign finds out who was elected in a term, and has this member follow that node, or nobody
// in this term.
func (c *Cluster) settleReign(term uint64) {
	b := c.ballotIn(term)
	r := &c.reigns
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.byTerm[term]
	if known == nil {
		return
	}
	elected := b.elected()
	heard := elected != "" && slices.Contains(known.heard, elected)
	if heard {
		c.accuseUnelected(known, b, term)
	}
	switch {
	case known.leader == elected:
	case heard && !known.takes:
		known.leader = elected
		if l := c.lacking.Load(); l != nil && l.term == term && l.leader != elected {
			c.lacking.CompareAndSwap(l, nil) // it was no leader that lacked something
		}
	case heard, c.raft.State() == raft.Candidate: // it hears nobody that it may follow
		if term == c.raft.CurrentTerm() {
			c.transport.Leave(term)
		}
	}
}

func (c *Cluster) accuseUnelected(known *claim, b ballot, term uint64) {
	for _, peer := range known.heard {
		if !b.mayHaveWon(peer) {
			c.accuse(peer, deedBesides, "term", term)
		}
	}
}

// A ballot is what the voters say of one term.
type ballot struct {
	voters, silent int
	votes          map[string]int // by node id
}

// ballotIn asks all voters whom they have voted for in a term.
func (c *Cluster) ballotIn(term uint64) ballot {
	ctx, cancel := context.WithTimeout(c.ctx, askVotesEvery/2)
	defer cancel()
	voters := c.voters()
	cast := make(chan *voteAnswer, len(voters))
	for _, voter := range voters {
		go func() { // ends with ctx at the latest
			answer, err := atNode(ctx, c, voter, "/v1/vote", voteCall{Term: term}, c.serveVote)
			if err != nil {
				cast <- nil
				return
			}
			cast <- &answer
		}()
	}
	b := ballot{voters: len(voters), votes: map[string]int{}}
	for range voters {
		if answer := <-cast; answer == nil {
			b.silent++
		} else if answer.For != "" {
			b.votes[answer.For]++
		}
	}
	return b
}

// elected is who has the votes of a majority, "" for nobody.
func (b ballot) elected() string {
	for node, votes := range b.votes {
		if votes > b.voters/2 {
			return node
		}
	}
	return ""
}

// mayHaveWon says whether a node that led before the ballot can have had the votes of a majority,
// if one voter who says otherwise lies.
func (b ballot) mayHaveWon(node string) bool {
	return b.votes[node]+b.silent+1 > b.voters/2
}

type voteCall struct {
	_    struct{} `cbor:",toarray"`
	Term uint64
}

type voteAnswer struct {
	_   struct{} `cbor:",toarray"`
	For string   // node id; "" for nobody that this node knows of
}

// serveVote says whom this member has voted for in a term.
func (c *Cluster) serveVote(_ context.Context, _ string, r voteCall) (voteAnswer, error) {
	if v := c.votes.cast.Load(); v != nil && v.term == r.Term {
		return voteAnswer{For: v.node}, nil
	}
	return voteAnswer{}, nil
}

// votes is where Raft keeps its vote: under two keys, one after the other. What it has kept whole
// is what others are told.
type votes struct {
	raft.StableStore
	term uint64 // of the vote that is being kept; of Raft's main loop
	cast atomic.Pointer[vote]
}

type vote struct {
	term uint64
	node string
}

const (
	keyVoteTerm = "LastVoteTerm" // Raft's
	keyVote     = "LastVoteCand"
)

// begin takes the vote of an earlier process.
func (v *votes) begin(stable raft.StableStore) error {
	v.StableStore = stable
	node, err := stored(stable, []byte(keyVote))
	if err != nil || node == nil {
		return err
	}
	term, err := stable.GetUint64([]byte(keyVoteTerm))
	if err == nil {
		v.cast.Store(&vote{term, string(node)})
	}
	return err
}

// SetUint64 implements raft.StableStore.
func (v *votes) SetUint64(key []byte, value uint64) error {
	if string(key) == keyVoteTerm {
		v.term = value
		v.cast.Store(nil)
	}
	return v.StableStore.SetUint64(key, value)
}

// Set implements raft.StableStore.
func (v *votes) Set(key, value []byte) error {
	err := v.StableStore.Set(key, value)
	if err == nil && string(key) == keyVote {
		v.cast.Store(&vote{v.term, string(value)})
	}
	return err
}
