// Package calls carries the calls between members: HTTP/2 POSTs on the cluster port with CBOR
// bodies (docs/formats.md).
//
// It promises that the caller is the node that the certificate names, that no body is longer than
// MaxBody, that a node has its share of calls and no more, that a refusal is one word, and that a
// caller can tell when its call never left the node. It does not know what a call means, or who may
// make it.
package calls

import (
	"time"

	"keyquorum/fsm"
)

// A Word is a refusal that crosses the wire, so that the asker can tell what it means.
type Word string

func (w Word) Error() string { return "cluster: " + string(w) }

// Words of this room's own.
const (
	Bad    Word = "bad-call" // the body is not what this call takes
	Failed Word = "failed"   // anything that has no word; the text is in the peer's log
	// TooMany: the asker has as many calls under way, or waiting, as a node may have. Where this
	// room says it, nothing has happened.
	TooMany Word = "too-many"
)

// MaxBody bounds a call's body in both directions: a transaction and its frame.
const MaxBody = fsm.MaxTxnBytes + 4096

// Many is how many calls of a kind a node may have under way where clients wait behind each; Few
// is enough where only members do.
const (
	Many = 1000
	Few  = 64
)

// What else a node may have under way: connections, a few for each of its processes, and bodies of
// more than longBody bytes.
const (
	maxConns      = 32
	maxLongBodies = 64
	longBody      = 64 << 10
)

// releaseHeader has what a node says of its release (package release), in each call and each answer.
const releaseHeader = "Keyquorum-Release"

// Said is what a member says of its release when it calls, and who hears what the others say.
type Said struct {
	Own   string
	Heard func(nodeID, said string) // "" where an answer says nothing; it must not wait
}

// maxHeader bounds the headers of a call, and of its answer, in bytes.
const maxHeader = 16 << 10

// life is the longest that a call is served, whatever its asker thinks.
const life = 35 * time.Second

// pingAfter is the silence after which a connection is checked, and after which again it is given
// up: one through a healed partition must not hold calls for the kernel's minutes.
const pingAfter = 2 * time.Second
