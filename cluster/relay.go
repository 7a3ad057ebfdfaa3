package cluster

import (
	"context"
	"errors"

	"keyquorum/cluster/calls"
)

// An unseal share goes from the member that its holder gave it to, to those that are sealed. The
// one that has it tells each of them, and each fetches it: so it is the fetching member that has to
// show who it is. Its connection is told by its process, and a copy of its folder that somebody
// runs beside it gets nothing. What travels is sealed for a key that the fetching member made. The
// shares are the node's to know: this carries them.

// A ShareNotice tells a member that a share waits for it.
type ShareNotice struct {
	_      struct{} `cbor:",toarray"`
	Ticket [16]byte // of this one share, for this one member
}

// A ShareTaken is what came of a notice.
type ShareTaken struct {
	_                   struct{} `cbor:",toarray"`
	Label               string   // of the member: nobody may have heard of it yet
	Sealed, Opening     bool     // Opening: the shares are complete, and it waits for the keyring
	Progress, Threshold int
}

// A ShareFetch asks for the share of a ticket.
type ShareFetch struct {
	_          struct{} `cbor:",toarray"`
	Ticket     [16]byte
	Generation uint64 // of the shares that the asker collects
	Public     []byte // HPKE, of the asker, for this request
}

type shareAnswer struct {
	_      struct{} `cbor:",toarray"`
	Sealed []byte
}

// Why a share does not reach a member.
const (
	ErrOtherShares  calls.Word = "other-shares"  // the asker collects those of another generation
	ErrShareRefused calls.Word = "share-refused" // it is none of the asker's
	ErrShareLater   calls.Word = "share-later"   // one is being given, or one was wrong a moment ago
	ErrNoUsageLog   calls.Word = "no-usage-log"  // it may have been taken, and could not be recorded
)

// Relays are how a node has shares carried.
type Relays struct {
	// Fetch is called on the member that was told: it fetches the share, and takes it.
	Fetch func(ctx context.Context, from string, n ShareNotice) (ShareTaken, error)
	// Hand is called on the member that has the share. The asker is who it says.
	Hand func(from string, r ShareFetch) (sealed []byte, err error)
}

// Others are the ids of the other servers of the latest configuration, in order. A member knows
// them before it has a leader, and so a state.
func (c *Cluster) Others() []string { return c.others() }

// NotifyShare tells a member of a share, and returns what it has made of it.
func (c *Cluster) NotifyShare(
	ctx context.Context, nodeID string, n ShareNotice,
) (ShareTaken, error) {
	return ask[ShareNotice, ShareTaken](ctx, c, nodeID, "/v1/share-waits", n)
}

// FetchShare gets a share from the member that told of it, sealed.
func (c *Cluster) FetchShare(
	ctx context.Context, nodeID string, r ShareFetch,
) (sealed []byte, err error) {
	a, err := ask[ShareFetch, shareAnswer](ctx, c, nodeID, "/v1/share", r)
	return a.Sealed, err
}

func (c *Cluster) serveShareWaits(
	ctx context.Context, from string, n ShareNotice,
) (ShareTaken, error) {
	if c.Relays.Fetch == nil {
		return ShareTaken{}, errCantTell
	}
	return c.Relays.Fetch(ctx, from, n)
}

func (c *Cluster) serveShare(
	_ context.Context, from string, r ShareFetch,
) (shareAnswer, error) {
	if c.Relays.Hand == nil {
		return shareAnswer{}, errCantTell
	}
	sealed, err := c.Relays.Hand(from, r)
	return shareAnswer{Sealed: sealed}, err
}

// whyNot says why a member that answered did not take a share, in words for people.
var whyNot = map[calls.Word]string{
	ErrOtherShares: "it collects the shares of before or after a rekey: give it one " +
		"at its own address",
	ErrShareRefused: "the share is none of those that it collects",
	ErrShareLater: "it takes one share at a time, and none for a second after a wrong one: " +
		"give it again",
	ErrNoUsageLog: "it can't write its usage log; it may have taken the share all the same",
	errNotMember:  "it does not know this node as a member any more",
	errStranger:   "it does not know this node as a member yet",
	errOtherLife: "it has not accepted this process as this node yet: if that lasts, " +
		"somebody runs a copy of this node's folder",
	errOutcast:  "it takes no part in the cluster: its log says why",
	errCantTell: "the share was given too long ago",
	errTooMany:  "too many calls of this node's are under way there",
}

// ShareAgain says whether a share that did not reach a member may do so in a moment: after a start
// it takes members a second or two to know each other.
func ShareAgain(err error) bool {
	for _, word := range []calls.Word{errStranger, errOtherLife, errTooMany, ErrShareLater} {
		if errors.Is(err, word) {
			return true
		}
	}
	_, refused := ShareRefused(err)
	return err != nil && !refused
}

// ShareRefused says why a member refused a share that it was told of; false: it was not reached.
func ShareRefused(err error) (why string, refused bool) {
	var word calls.Word
	if !errors.As(err, &word) {
		return "", false
	}
	if why = whyNot[word]; why == "" {
		why = "it takes no relayed shares: its log, or its release, says why"
	}
	return why, true
}
