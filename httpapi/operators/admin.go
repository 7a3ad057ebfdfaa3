package operators

import (
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// adminRoutes are the administration API (docs/administration-api.md). The domain's verbs write
// their usage records.
func adminRoutes() []exchange.Route {
	return slices.Concat([]exchange.Route{
		{Methods: get, Shape: "keyquorum/state", Operation: "admin/state", Held: true,
			Serve: recorded(state, nothing, writeData)},
		{Methods: list, Shape: "keyquorum/vaults", Operation: "admin/vaults/list",
			Serve: exchange.Serve(listVaults, writeData)},
		{Methods: write, Shape: "keyquorum/vaults", Operation: "admin/vaults/create",
			Body:  exchange.SmallBody,
			Serve: exchange.Serve(createVault, writeData)},
		{Methods: get, Shape: "keyquorum/vaults/{vault}", Operation: "admin/vaults/get",
			Serve: exchange.Serve(getVault, writeData)},
		{Methods: write, Shape: "keyquorum/vaults/{vault}", Operation: "admin/vaults/update",
			Body: exchange.SmallBody, Serve: exchange.Serve(updateVault, writeData)},
		{Methods: remove, Shape: "keyquorum/vaults/{vault}", Operation: "admin/vaults/delete",
			Serve: exchange.Serve(deleteVault, writeData)},
		{Methods: list, Shape: "keyquorum/deleted-vaults", Operation: "admin/vaults/listdeleted",
			Serve: exchange.Serve(listDeletedVaults, writeData)},
		{Methods: get, Shape: "keyquorum/deleted-vaults/{vault}", Operation: "admin/vaults/getdeleted",
			Serve: exchange.Serve(getDeletedVault, writeData)},
		{Methods: remove, Shape: "keyquorum/deleted-vaults/{vault}", Operation: "admin/vaults/purge",
			Serve: exchange.Serve(purgeVault, exchange.NoContent)},
		{Methods: write, Shape: "keyquorum/deleted-vaults/{vault}/recover",
			Operation: "admin/vaults/recover", Serve: exchange.Serve(recoverVault, writeData)},
		{Methods: list, Shape: "keyquorum/vaults/{vault}/grants", Operation: "admin/grants/list",
			Serve: exchange.Serve(listGrants, writeData)},
		{Methods: write, Shape: "keyquorum/vaults/{vault}/grants/{app}", Operation: "admin/grants/set",
			Body: exchange.SmallBody, Serve: exchange.Serve(setGrant, writeData)},
		{Methods: remove, Shape: "keyquorum/vaults/{vault}/grants/{app}", Operation: "admin/grants/set",
			Serve: exchange.Serve(revokeGrant, exchange.NoContent)},
		{Methods: list, Shape: "keyquorum/apps", Operation: "admin/apps/list",
			Serve: exchange.Serve(listApps, writeData)},
		{Methods: write, Shape: "keyquorum/apps", Operation: "admin/apps/create",
			Body:  exchange.SmallBody,
			Serve: exchange.Serve(createApp, writeData)},
		{Methods: get, Shape: "keyquorum/apps/{app}", Operation: "admin/apps/get",
			Serve: exchange.Serve(getApp, writeData)},
		{Methods: write, Shape: "keyquorum/apps/{app}", Operation: "admin/apps/enable",
			Body:  exchange.SmallBody,
			Serve: exchange.Serve(updateApp, writeData)},
		{Methods: remove, Shape: "keyquorum/apps/{app}", Operation: "admin/apps/delete",
			Serve: exchange.Serve(deleteApp, exchange.NoContent)},
		{Methods: write, Shape: "keyquorum/apps/{app}/credentials", Operation: "admin/credentials/add",
			Body: exchange.SmallBody, Serve: exchange.Serve(addCredential, writeCredential)},
		{Methods: remove, Shape: "keyquorum/apps/{app}/credentials/{id}",
			Operation: "admin/credentials/remove", Serve: exchange.Serve(removeCredential,
				exchange.NoContent)},
	}, objectRoutes(), rotateRoutes(), relayRoutes(), wrapperRoutes())
}

// each maps a list; the result is never nil, so that an empty one is [] on the wire.
func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}

type stateData struct {
	NodeID     string `json:"node_id"`
	Index      uint64 `json:"index"`
	Generation uint64 `json:"generation"`
	Digest     string `json:"digest"` // hex
}

// state answers with the digest of what this node holds, after the entry that ?index names where it
// is given: whoever asks all nodes for one index can compare them (I9).
func state(c *call, _ *exchange.None) (stateData, error) {
	var index uint64
	if q := wire.Query(c.R.URL.RawQuery, "index"); q != "" {
		var err error
		if index, err = strconv.ParseUint(q, 10, 64); err != nil {
			return stateData{}, wire.Refuse(http.StatusBadRequest, "",
				"bad value for index: it is a number, 0 or more")
		}
	}
	s, err := c.plane.n.State(c.Ctx, index)
	if errors.Is(err, node.ErrForgotten) {
		return stateData{}, wire.Refuse(http.StatusGone, "", err.Error())
	}
	return stateData{s.NodeID, s.Index, s.Generation, hex.EncodeToString(s.Digest[:])},
		nodeFailure(err)
}
