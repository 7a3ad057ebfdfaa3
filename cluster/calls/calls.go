// Package calls carries what members ask one another: HTTP/2 POSTs on the cluster port with CBOR
// bodies (docs/formats.md).
//
// It promises that who asks is whom the certificate names, that no body is longer than MaxBody,
// that a refusal is one word, and that an asker can tell a call that never left its node. It does
// not know what is asked, or by whom it may be.
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
)

// MaxBody bounds a call's body in both directions: a transaction and its frame.
const MaxBody = fsm.MaxTxnBytes + 4096

// life is the longest that a call is served, whatever its asker thinks.
const life = 35 * time.Second

// pingAfter is the silence after which a connection is checked, and after which again it is given
// up: one through a healed partition must not hold calls for the kernel's minutes.
const pingAfter = 2 * time.Second
