package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"keyquorum/cluster/calls"
	"keyquorum/cluster/port"
)

// What members ask one another: indexes, digests, hellos, how they are, signed transactions and
// orders, certificates, the keys of gossip, and a root key or an unseal share that is sealed for
// the asker; never a request of an application, never a value of one in the clear. Package calls
// carries it.

// Refusals that cross the wire, so that the asker can tell what they mean.
const (
	errNotLeader      calls.Word = "not-leader"      // surely nothing happened: ask the leader
	errMaybe          calls.Word = "maybe"           // the transaction may be or come into the log
	errNotMember      calls.Word = "not-a-member"    // the asker was removed
	errStranger       calls.Word = "stranger"        // the asker is no member that this node knows
	errTooMany                   = calls.TooMany     // a queue is full
	errBadCall                   = calls.Bad         // the body is not what this call takes
	errCallFailed                = calls.Failed      // anything else; the text is in the peer's log
	errNotConfirmed   calls.Word = "not-confirmed"   // no majority of voters in the leader's term
	ErrAddressTaken   calls.Word = "address-taken"   // another server has that address
	errNotTransferred calls.Word = "not-transferred" // the leader leads on
	errCantTell       calls.Word = "cant-tell"       // this node does not have it: ask another
	// After these two surely nothing happened either. Another process speaks for the asker's
	// node, or its hello has not come yet; and this node takes no part.
	errOtherLife calls.Word = "other-life"
	errOutcast   calls.Word = "outcast"
	// The two programs don't work together. Nothing happened, for certain.
	errOtherRelease calls.Word = "other-release"
)

// mayCall is the word for who may not make a call; "" for who may. Whoever runs a release that does
// not work with this one is told how this one is, and nothing else.
func (c *Cluster) mayCall(path string, asker port.Peer, said string) calls.Word {
	word := c.mayAsk(path, asker)
	if word == "" && path != pathStatus && c.keepAway(asker.Node, c.Refuses(said)) {
		word = errOtherRelease
	}
	return word
}

// mayAsk is mayCall by who asks. Anybody may say hello, also who was removed while Raft's
// configuration has it: its vote may be needed to carry that out. Any member may be told how this
// one is.
func (c *Cluster) mayAsk(path string, asker port.Peer) calls.Word {
	switch {
	case path == pathHello && (!c.removed(asker.Node) || c.isServer(asker.Node)):
		return ""
	case c.removed(asker.Node):
		return errNotMember
	case !c.belongs(asker.Node):
		return errStranger
	case path == pathStatus:
		return ""
	case !c.hears.speaks(asker):
		return errOtherLife
	case c.out.Load() != nil:
		return errOutcast
	}
	return ""
}

const (
	pathHello  = "/v1/hello"
	pathStatus = "/v1/status"
	pathRoom   = "/v1/room"
)

// wordFor is the word for an error of this room's that others are told.
func wordFor(err error) calls.Word {
	if errors.Is(err, ErrBusy) {
		return errTooMany
	}
	return ""
}

// ask calls a node. An error that is no word means that nothing is known of what the peer did.
func ask[Req, Resp any](
	ctx context.Context, c *Cluster, nodeID, path string, request Req,
) (Resp, error) {
	response, err := calls.Ask[Req, Resp](ctx, c.client, nodeID, path, request)
	if errors.Is(err, errNotMember) {
		c.hearRemoved(nodeID)
	}
	return response, err
}

// askAny asks the other members, one after the other, until one gives an answer that will do. It
// begins with any, so that who is away does not take the time of each attempt.
func askAny[Req, Resp any](
	ctx context.Context, c *Cluster, path string, request Req, will func(Resp) bool,
) (Resp, error) {
	last := ErrUnavailable
	members := c.View().Members()
	for _, i := range rand.Perm(len(members)) {
		m := members[i]
		if m.ID == c.id {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, time.Second)
		answer, err := ask[Req, Resp](asking, c, m.ID, path, request)
		cancel()
		if err == nil && will(answer) {
			return answer, nil
		}
		if err != nil {
			last = err
		}
	}
	var none Resp
	return none, last
}

// newCallServer has all calls that this member answers.
func (c *Cluster) newCallServer() *calls.Server {
	s := calls.NewServer(calls.Rules{
		May: c.mayCall, Says: c.releases.own.Encode(), WordFor: wordFor, Logger: c.logger,
	})
	calls.On(s, "/v1/commit", calls.Many, c.serveCommit)
	calls.On(s, "/v1/fence", calls.Few, c.serveFence)
	calls.On(s, "/v1/checkin", calls.Few, c.serveCheckIn)
	calls.On(s, "/v1/term", calls.Few, c.serveTerm)
	calls.On(s, "/v1/vote", calls.Few, c.serveVote)
	calls.On(s, "/v1/digest", calls.Few, c.serveDigest)
	calls.On(s, "/v1/suspect", calls.Few, c.serveSuspect)
	calls.On(s, pathStatus, calls.Few, c.serveStatus)
	calls.On(s, pathHello, calls.Few, c.serveHello)
	calls.On(s, "/v1/survey", calls.Few, c.serveSurvey)
	calls.On(s, "/v1/silence", calls.Few, c.serveSilence)
	calls.On(s, "/v1/address", calls.Few, c.serveAddress)
	calls.On(s, "/v1/order", calls.Few, c.serveOrder)
	calls.On(s, pathRoom, calls.Few, c.serveRoom)
	calls.On(s, "/v1/gossip-keys", calls.Few, c.serveGossipKeys)
	calls.On(s, "/v1/certify", calls.Few, c.serveCertify)
	calls.On(s, "/v1/renewed", calls.Few, c.serveRenewed)
	calls.On(s, "/v1/root-key", calls.Few, c.serveRootKey)
	calls.On(s, pathAutopilot, calls.Few, c.serveAutopilot)
	calls.On(s, "/v1/share-waits", calls.Few, c.serveShareWaits)
	calls.On(s, "/v1/share", calls.Few, c.serveShare)
	return s
}
