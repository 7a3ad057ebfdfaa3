package testcluster

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// A visit is a thief as a fault: he is at work until he is sent away.
type visit struct {
	thief *Thief
	stop  context.CancelFunc
	done  chan struct{} // closed when he has gone
}

// Burgle seals node i and lets a thief speak as its double until Heal. Where nodes were removed, he
// may speak as one of these instead.
func (c *Cluster) Burgle(i int, dice *rand.Rand) {
	c.t.Helper()
	c.mustHave("Burgle", i)
	double := i
	for j := range c.size {
		if c.removed[j] && dice.IntN(2) == 0 {
			double = j
		}
	}
	if double == i {
		c.askSeal(i)
	}
	thief, err := c.steal(double)
	c.must(err)
	for j := range c.size { // what runs changes beside him
		if j != double {
			thief.others = append(thief.others, j)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	v := &visit{thief, stop, make(chan struct{})}
	own := rand.New(rand.NewPCG(dice.Uint64(), 6))
	go func() {
		defer close(v.done)
		thief.work(ctx, own)
	}()
	c.visits = append(c.visits, v)
}

// sendAway ends all thieves at work.
func (c *Cluster) sendAway() {
	for _, v := range c.visits {
		v.stop()
		v.thief.Leave()
		<-v.done
	}
	c.visits = nil
}

// work makes one move after the other.
func (t *Thief) work(ctx context.Context, dice *rand.Rand) {
	for ctx.Err() == nil {
		moves[dice.IntN(len(moves))](t, dice)
		select {
		case <-time.After(time.Duration(dice.Int64N(int64(500 * time.Millisecond)))):
		case <-ctx.Done():
		}
	}
}

// moves are what a thief does as a fault. Each must come to nothing but delay. What the key of a
// voter lets nobody else prevent is not among them: it can vote twice, claim a term and append to
// it what nobody can tell from a leader's, say of entries that they are committed, and break its
// word to a leader. Then Raft promises nothing.
var moves = []func(t *Thief, dice *rand.Rand){
	propose, propose, propose,
	(*Thief).tellLies, (*Thief).tellLies,
	(*Thief).proposeOld,
	(*Thief).askVotes,
	(*Thief).haveOneStand,
	(*Thief).speakForAnother,
	(*Thief).orderNonsense,
	(*Thief).orderOthers,
	(*Thief).sendSnapshot,
}

func propose(t *Thief, dice *rand.Rand) { _, _ = t.Propose(t.sign(t.forge(dice), dice)) }

// proposeOld brings a transaction that an unsealed member signed, once more.
func (t *Thief) proposeOld(dice *rand.Rand) {
	if entry, ok := t.Loot.signed(dice.IntN); ok {
		_, _ = t.Propose(entry)
	}
}

// sign makes an entry of a transaction: with no signature, another one's or his own.
func (t *Thief) sign(txn Txn, dice *rand.Rand) []byte {
	txn = t.Loot.Dated(txn)
	switch entry, ok := t.Loot.signed(dice.IntN); {
	case ok && dice.IntN(3) == 0:
		return txn.Borrow(entry)
	case dice.IntN(2) == 0:
		if data, err := txn.SignedBy(NewImpostorKey(t.Loot.line().Newest().Term)); err == nil {
			return data
		}
	}
	return txn.Encode()
}

// forge makes a transaction that would undo something.
func (t *Thief) forge(dice *rand.Rand) Txn {
	l := t.Loot
	if len(l.Old) == 0 {
		return l.MarkRemoved(l.members()...)
	}
	old := l.Old[dice.IntN(len(l.Old))]
	switch dice.IntN(8) {
	case 0:
		return l.Delete(old.Path)
	case 1:
		return l.Replace(old.Path, old.Value)
	case 2:
		return l.MarkRemoved(l.members()...)
	case 3:
		return l.FoundAgain(NewImpostorKey(firstKeyringTerm))
	case 4:
		return l.Rotate(NewImpostorKey(l.line().Newest().Term + 1))
	case 5:
		gone := t.another(dice)
		return l.ChangeMembers(func(m fsm.Members) fsm.Members { return m.Without(gone) }, gone)
	case 6:
		return l.Checkpoint()
	}
	return PutBack(old)
}

// tellLies makes a call with what is not so.
func (t *Thief) tellLies(dice *rand.Rand) {
	term := dice.Uint64N(20)
	if claim, err := t.Current(); err == nil {
		term = claim.Term
	}
	some := func(n int) uint64 { return dice.Uint64N(uint64(n)) }
	all := lies(t.another(dice), t.another(dice), term, some)
	l := all[dice.IntN(len(all))]
	_ = t.Call(t.somebody(dice), l.path, nil, l.members...)
}

// askVotes asks all for their votes in the next term, for a log that he lacks.
func (t *Thief) askVotes(*rand.Rand) { _, _ = t.Claim() }

func (t *Thief) haveOneStand(dice *rand.Rand) { _ = t.Stand(t.somebody(dice)) }

// speakForAnother orders entries in the name of another node, which may lead.
func (t *Thief) speakForAnother(dice *rand.Rand) {
	if claim, err := t.Current(); err == nil {
		claim.As = t.another(dice)
		claim.Term += dice.Uint64N(2)
		claim.Order(raft.Log{Type: raft.LogCommand, Data: t.forge(dice).Encode()})
	}
}

// orderNonsense orders entries that no leader sends, in the next term.
func (t *Thief) orderNonsense(dice *rand.Rand) {
	claim, err := t.Current()
	if err != nil {
		return
	}
	claim.Term++
	claim.Modest = true
	alone := raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(t.ID),
		Address: "thief:8201"}}}
	nonsense := []raft.Log{
		{Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(alone)},
		{Type: raft.LogConfiguration, Data: []byte("nothing")},
		{Type: raft.LogAddPeerDeprecated, Data: OldPeers(t.ID)},
		{Type: 99},
	}
	claim.Order(nonsense[dice.IntN(len(nonsense))])
}

// orderOthers orders entries in the place of the first ones, which everybody has applied.
func (t *Thief) orderOthers(*rand.Rand) {
	claim, err := t.Current()
	previous, found := t.Loot.Entry(2)
	if err != nil || !found {
		return
	}
	claim.Term++
	claim.Last, claim.LastTerm = previous.Index, previous.Term
	claim.Order(raft.Log{Type: raft.LogNoop}, raft.Log{Type: raft.LogNoop})
}

// sendSnapshot sends his snapshot, as it is or altered, as of then or as if it were newer.
func (t *Thief) sendSnapshot(dice *rand.Rand) {
	claim, err := t.Current()
	if err != nil || len(t.Loot.Snapshots) == 0 {
		return
	}
	claim.Term++
	s := t.Loot.Snapshots[0]
	old := t.Loot.Old[dice.IntN(len(t.Loot.Old))]
	switch dice.IntN(4) {
	case 0:
		s.State = or(s.State)(t.Loot.MakeUp(claim.Last, old))
	case 1:
		s.State = or(s.State)(AlterVouched(s.State, old))
	case 2:
		s.State = or(s.State)(t.Loot.Forget(s.State, claim.Last+1))
		s.Meta.Index = claim.Last + 1
	}
	if dice.IntN(2) == 0 {
		s.Meta.Index += 1000
	}
	claim.Install(s.Meta, s.State)
}

// or is what was made, or else what there was.
func or(otherwise []byte) func([]byte, error) []byte {
	return func(made []byte, err error) []byte {
		if err != nil {
			return otherwise
		}
		return made
	}
}

// somebody is a node that he talks with.
func (t *Thief) somebody(dice *rand.Rand) int { return t.others[dice.IntN(len(t.others))] }

// another is the id of another member, or one that never was where he knows none.
func (t *Thief) another(dice *rand.Rand) string {
	for _, id := range t.Loot.members() {
		if id != t.ID && dice.IntN(2) == 0 {
			return id
		}
	}
	return newName()
}
