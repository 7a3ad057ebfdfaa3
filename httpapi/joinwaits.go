package httpapi

import "fmt"

// joinWaits says what this node waits for on its way to become a member, "" where it is not on it.
// What was found at other machines it tells nobody who is not on this one.
func (c *opCall) joinWaits() string {
	now, search := c.ops.n.SealStatus(), c.ops.joins.search
	switch {
	case now.Joining:
		return "this node has found its cluster, and becomes a member with enough unseal shares"
	case now.Initialized || search == nil:
		return ""
	}
	waits := fmt.Sprintf("this node asks at the places that its configuration names in retry_join "+
		"(%d), in turn, until a member lets it join", search.Places())
	why := search.Why()
	switch {
	case why == nil:
		return waits
	case c.nearby():
		return waits + "; at last: " + why.Error()
	}
	return waits + "; none has yet, and its log says why"
}
