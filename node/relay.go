package node

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"keyquorum/cluster"
	"keyquorum/internal/uuid"
	"keyquorum/seal"
	"keyquorum/vault"
)

// A holder of a share can have all sealed members take it, through the one node that it was given
// to. That node has checked it before anybody hears of it, so a wrong one goes nowhere. It tells
// the members, and each sealed one fetches it over the cluster port (cluster.Relays), sealed for a
// key that it makes for this one share. The share is in the memory of that node meanwhile, for
// relayTime at most, and nowhere else.

const (
	relayTime     = 15 * time.Second // of one share, to all: some may wait for a leader (unsealWait)
	relayPatience = 3 * time.Second  // in which a member that was not reached is told again
	relayRest     = time.Second / 4  // between two such times
	maxRelays     = 4                // shares that a node relays at the same time
	wrongRest     = time.Second      // a member takes none from another whose last one was wrong
)

// ErrRelaying: the share was not looked at.
var ErrRelaying = fmt.Errorf("%w: this node relays as many shares as it takes at a time: "+
	"give it again in a moment", cluster.ErrUnavailable)

// What a member has made of a share.
const (
	RelayUnsealed    = "unsealed"    // it needs none, or none any more
	RelayTaken       = "sealed"      // it has taken it, and needs more
	RelayWaiting     = "waiting"     // it has enough, and waits for a leader
	RelayRefused     = "refused"     // it answered, and has not taken it
	RelayUnreachable = "unreachable" // nothing is known of it
)

// A RelayedTo is what came of a share at one member.
type RelayedTo struct {
	NodeID, Label       string
	State               string // Relay…
	Progress, Threshold int    // where it is sealed
	Why                 string // it was refused
}

// relays is where a node has shares that are on their way.
type relays struct {
	slots chan struct{} // one for each share that is relayed

	mu      sync.Mutex
	waiting map[[16]byte]waitingShare
	busy    map[string]bool      // members whose share this one fetches
	wrong   map[string]time.Time // when a member's share was none
}

// A waitingShare waits for one member to fetch it, once.
type waitingShare struct {
	nodeID string
	lock   seal.Lock
	share  seal.Plaintext
}

func newRelays() relays {
	return relays{slots: make(chan struct{}, maxRelays), waiting: map[[16]byte]waitingShare{},
		busy: map[string]bool{}, wrong: map[string]time.Time{}}
}

// UnsealCluster has all sealed members take one share, this node too. A share that is none of this
// cluster's is refused (IsBadShare) before anybody is told of it.
func (n *Node) UnsealCluster(ctx context.Context, share seal.Plaintext) ([]RelayedTo, error) {
	m := n.member.Load()
	if m == nil {
		return nil, n.absent()
	}
	lock := m.sealRecord().Lock
	if err := seal.NewLockCeremony(lock).Check(share); err != nil {
		return nil, err
	}
	select {
	case n.relays.slots <- struct{}{}:
		defer func() { <-n.relays.slots }()
	default:
		return nil, ErrRelaying
	}
	ctx, cancel := context.WithTimeout(ctx, relayTime)
	defer cancel()
	defer context.AfterFunc(n.ctx, cancel)()
	kept := seal.Plaintext(bytes.Clone(share))
	defer kept.Zero()
	others := m.cluster.Others()
	list := make([]RelayedTo, len(others)+1)
	var told sync.WaitGroup
	told.Go(func() { list[0] = n.relayHere(ctx, kept) })
	for i, id := range others {
		told.Go(func() { list[i+1] = n.relayPatiently(ctx, m, waitingShare{id, lock, kept}) })
	}
	told.Wait()
	list[0].NodeID = m.identity.NodeID
	return list, nil
}

func (n *Node) relayHere(ctx context.Context, share seal.Plaintext) RelayedTo {
	s, err := n.Unseal(ctx, share)
	if err != nil && !IsDuplicateShare(err) {
		return RelayedTo{Label: n.config.Label, State: RelayRefused, Why: err.Error()}
	}
	return relayed(n.takenOf(s))
}

// relayPatiently has another member take a share, and says what became of it.
func (n *Node) relayPatiently(ctx context.Context, m *member, w waitingShare) RelayedTo {
	begun := time.Now()
	for {
		taken, err := n.relay(ctx, m, w)
		if cluster.ShareAgain(err) && time.Since(begun) < relayPatience && ctx.Err() == nil {
			select {
			case <-time.After(relayRest):
			case <-ctx.Done():
			}
			continue
		}
		to := relayed(taken)
		if why, refused := cluster.ShareRefused(err); refused {
			to = RelayedTo{State: RelayRefused, Why: why}
		} else if err != nil {
			to = RelayedTo{State: RelayUnreachable}
		}
		to.NodeID, to.Label = w.nodeID, cmp.Or(to.Label, m.labelOf(w.nodeID))
		return to
	}
}

// relay has another member take a share, once.
func (n *Node) relay(
	ctx context.Context, m *member, w waitingShare,
) (cluster.ShareTaken, error) {
	ticket := n.relays.post(w)
	defer n.relays.take(ticket, nil)
	return m.cluster.NotifyShare(ctx, w.nodeID, cluster.ShareNotice{Ticket: ticket})
}

func (n *Node) takenOf(s SealStatus) cluster.ShareTaken {
	return cluster.ShareTaken{Label: n.config.Label, Sealed: s.Sealed, Opening: s.Opening,
		Progress: s.Progress, Threshold: s.Threshold}
}

func relayed(t cluster.ShareTaken) RelayedTo {
	switch {
	case !t.Sealed:
		return RelayedTo{Label: t.Label, State: RelayUnsealed}
	case t.Opening:
		return RelayedTo{"", t.Label, RelayWaiting, t.Threshold, t.Threshold, ""}
	}
	return RelayedTo{"", t.Label, RelayTaken, t.Progress, t.Threshold, ""}
}

// post has a share wait to be fetched.
func (r *relays) post(w waitingShare) (ticket [16]byte) {
	rand.Read(ticket[:])
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[ticket] = w
	return ticket
}

var errNoTicket = errors.New("node: no share waits under that ticket")

// take forgets a ticket, and uses what was there, if use is not nil. The share is not cleared
// before that.
func (r *relays) take(ticket [16]byte, use func(waitingShare) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	w, ok := r.waiting[ticket]
	delete(r.waiting, ticket)
	switch {
	case use == nil:
		return nil
	case !ok:
		return errNoTicket
	}
	return use(w)
}

// handShare serves a member that was told of a share.
func (n *Node) handShare(from string, r cluster.ShareFetch) (sealed []byte, err error) {
	err = n.relays.take(r.Ticket, func(w waitingShare) error {
		switch {
		case w.nodeID != from:
			return errNoTicket
		case w.lock.Generation != r.Generation:
			return cluster.ErrOtherShares
		}
		sealed, err = w.lock.SealShare(from, r.Public, w.share)
		return err
	})
	return sealed, err
}

// fetchShare is told by another member of a share, fetches it, and takes it as one that its holder
// gives here. It has a usage record, too.
func (n *Node) fetchShare(
	ctx context.Context, from string, notice cluster.ShareNotice,
) (cluster.ShareTaken, error) {
	m := n.member.Load()
	if m == nil || n.ctx.Err() != nil {
		return cluster.ShareTaken{}, errClosed
	}
	if s := n.SealStatus(); !s.Sealed || s.Opening {
		return n.takenOf(s), nil
	}
	if !n.relays.enter(from) {
		return cluster.ShareTaken{}, cluster.ErrShareLater
	}
	wrong := false
	defer func() { n.relays.leave(from, wrong) }()
	ctx, cancel := context.WithTimeout(ctx, relayTime)
	defer cancel()
	share, err := m.fetchShare(ctx, from, notice)
	if err != nil {
		return cluster.ShareTaken{}, err
	}
	defer share.Zero()
	s, err := n.Unseal(ctx, share)
	if IsDuplicateShare(err) {
		return n.takenOf(s), nil
	}
	wrong = IsBadShare(err)
	if n.recordRelayed(m, from, s, err) != nil {
		return cluster.ShareTaken{}, cluster.ErrNoUsageLog
	}
	if wrong {
		return cluster.ShareTaken{}, cluster.ErrShareRefused
	}
	return n.takenOf(s), err
}

func (m *member) fetchShare(
	ctx context.Context, from string, notice cluster.ShareNotice,
) (seal.Plaintext, error) {
	lock := m.sealRecord().Lock
	request, err := seal.NewShareRequest(lock, m.identity.NodeID)
	if err != nil {
		return nil, err
	}
	sealed, err := m.cluster.FetchShare(ctx, from, cluster.ShareFetch{Ticket: notice.Ticket,
		Generation: lock.Generation, Public: request.Public()})
	if err != nil {
		return nil, err
	}
	return request.Share(sealed)
}

// enter lets a member give one share at a time, and none right after a wrong one.
func (r *relays) enter(from string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[from] || time.Since(r.wrong[from]) < wrongRest {
		return false
	}
	r.busy[from] = true
	return true
}

func (r *relays) leave(from string, wrong bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, from)
	delete(r.wrong, from)
	if wrong {
		r.wrong[from] = time.Now()
	}
}

// recordRelayed writes the usage record of a share that another member brought.
func (n *Node) recordRelayed(m *member, from string, s SealStatus, err error) error {
	by := "relayed by node " + cluster.Named(m.labelOf(from), from)
	detail := fmt.Sprintf("share %d of %d, %s", s.Progress, s.Threshold, by)
	switch {
	case err != nil:
		detail = by
	case s.Opening:
		detail = "the shares are complete; it waits for a leader; " + by
	case !s.Sealed:
		detail = "unsealed, " + by
	}
	return n.Record(vault.Unkeyed{Request: vault.Request{ID: uuid.New(), Start: time.Now()},
		Operation: "sys/unseal", Detail: detail, Err: err})
}

// labelOf is what people call a member, "" where nobody has told this one.
func (m *member) labelOf(nodeID string) string {
	peers, _ := m.cluster.Members()
	for _, p := range peers {
		if p.ID == nodeID {
			return p.Status.About.Label
		}
	}
	return ""
}

// SealLock is what tells whether a share is one of this cluster's. Strangers may have it: that is
// all it tells (decision 17).
func (n *Node) SealLock() ([]byte, error) {
	m := n.member.Load()
	if m == nil {
		return nil, n.absent()
	}
	return m.sealRecord().Lock.Encode(), nil
}

// A CheckedShare is a share that is good.
type CheckedShare struct {
	Number, Shares, Threshold int    // the share's own number, from 1 to Shares
	Generation                uint64 // of the shares: 1, and one more with each rekey
}

// CheckShare holds a share against what SealLock gave. It asks nobody, and the share goes nowhere.
// IsBadShare: it is none that this lock takes.
func CheckShare(lock []byte, share seal.Plaintext) (CheckedShare, error) {
	l, err := seal.DecodeLock(lock)
	if err != nil {
		return CheckedShare{}, err
	}
	if err := seal.NewLockCeremony(l).Check(share); err != nil {
		return CheckedShare{}, err
	}
	return CheckedShare{int(share[0]), l.Shares, l.Threshold, l.Generation}, nil
}
