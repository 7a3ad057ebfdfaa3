package node

import "keyquorum/cluster"

// What the cluster says of a Raft verb (step-down, admission, removal), passed on: callers of node
// do not know the cluster.
var (
	ErrUnavailable = cluster.ErrUnavailable
	ErrUnknown     = cluster.ErrUnknown
	ErrNoRoomHere  = cluster.ErrNoRoomHere
	ErrNoRoom      = cluster.ErrNoRoom

	ErrMembersChanged = cluster.ErrMembersChanged
)
