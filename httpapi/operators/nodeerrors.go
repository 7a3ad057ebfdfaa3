package operators

import (
	"context"
	"errors"
	"net/http"

	"keyquorum/httpapi/wire"
	"keyquorum/node"
	"keyquorum/vault"
)

// uninitialized is said by a node without data of whatever needs some.
const uninitialized = "this node is not initialized: run `keyquorum operator init` " +
	"on the first node of a cluster, `keyquorum operator raft join` on each of the others"

// joiningNow is said likewise by a node that has found its cluster.
const joiningNow = "this node is joining a cluster, and waits for its unseal shares " +
	"(keyquorum operator unseal): until it is a member, ask one that is"

// nodeFailure says in the operator plane's words what node refused. Texts of node's errors hold no
// secrets, and an operator needs them: what is not in the table is answered 500 with its text, as
// these clients are used to.
func nodeFailure(err error) error {
	var known *wire.Failure
	var peer *node.PeerError
	var short *node.ShortError
	var ceremony *node.CeremonyError
	var older *node.OlderTermsError
	var domain *vault.Error
	var waiting *node.Waiting
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &domain):
		return domain
	case errors.Is(err, node.ErrInitialized):
		return wire.Refuse(http.StatusBadRequest, "", "Vault is already initialized")
	case errors.Is(err, node.ErrJoining):
		return wire.Refuse(http.StatusBadRequest, "", joiningNow)
	case errors.Is(err, node.ErrUninitialized):
		return wire.Refuse(http.StatusBadRequest, "", uninitialized)
	case errors.Is(err, node.ErrForeignSnapshot):
		return wire.Refuse(http.StatusBadRequest, "", err.Error())
	case errors.Is(err, node.ErrUnknown):
		return wire.Unavailable(err.Error())
	case errors.Is(err, node.ErrRestoredMeanwhile), errors.Is(err, node.ErrRestoreSwept),
		errors.Is(err, node.ErrMembersChanged):
		return wire.Refuse(http.StatusConflict, "", err.Error())
	case errors.Is(err, node.ErrUnsealed):
		return wire.Refuse(http.StatusBadRequest, "", "vault is unsealed")
	case errors.Is(err, node.ErrIDRemoved):
		return wire.Refuse(http.StatusGone, "", err.Error())
	case errors.Is(err, node.ErrInvalidAnswer):
		return wire.Refuse(http.StatusBadRequest, "", "invalid answer given")
	case node.IsBadShare(err):
		return wire.Refuse(http.StatusBadRequest, "", "invalid key: "+node.ShareFault(err))
	case errors.Is(err, node.ErrShares), errors.Is(err, node.ErrOtherCluster), errors.As(err, &peer),
		errors.Is(err, node.ErrResealed), errors.Is(err, node.ErrSchedule), errors.As(err, &older),
		errors.Is(err, node.ErrWrappersAltered), errors.As(err, &ceremony), errors.As(err, &waiting):
		return wire.Refuse(http.StatusBadRequest, "", err.Error())
	case errors.As(err, &short):
		return wire.Unavailable("make room for this node first: " + short.Error())
	case errors.Is(err, node.ErrNoRoomHere), errors.Is(err, node.ErrNoRoom):
		return wire.Unavailable(err.Error() + ": make room on its disk first")
	case errors.Is(err, node.ErrSealed):
		return wire.Unavailable("Vault is sealed")
	case errors.Is(err, node.ErrUnavailable), errors.Is(err, node.ErrUnknown),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return wire.Unavailable(err.Error())
	default:
		return &wire.Failure{Status: http.StatusInternalServerError, Message: err.Error()}
	}
}
