package httpapi

import (
	"slices"

	"keyquorum/vault"
)

// adminRoutes are the administration API (docs/administration-api.md). The domain's verbs write
// their usage records.
func adminRoutes() []route {
	return slices.Concat([]route{
		{methods: opGet, shape: "keyquorum/state", operation: "admin/state",
			serve: recorded(state, nothing, writeData)},
		{methods: opList, shape: "keyquorum/vaults", operation: "admin/vaults/list",
			serve: serve(listVaults, writeData)},
		{methods: opWrite, shape: "keyquorum/vaults", operation: "admin/vaults/create", body: smallBody,
			serve: serve(createVault, writeData)},
		{methods: opGet, shape: "keyquorum/vaults/{vault}", operation: "admin/vaults/get",
			serve: serve(getVault, writeData)},
		{methods: opWrite, shape: "keyquorum/vaults/{vault}", operation: "admin/vaults/update",
			body: smallBody, serve: serve(updateVault, writeData)},
		{methods: opRemove, shape: "keyquorum/vaults/{vault}", operation: "admin/vaults/delete",
			serve: serve(deleteVault, writeData)},
		{methods: opList, shape: "keyquorum/deleted-vaults", operation: "admin/vaults/listdeleted",
			serve: serve(listDeletedVaults, writeData)},
		{methods: opGet, shape: "keyquorum/deleted-vaults/{vault}", operation: "admin/vaults/getdeleted",
			serve: serve(getDeletedVault, writeData)},
		{methods: opRemove, shape: "keyquorum/deleted-vaults/{vault}", operation: "admin/vaults/purge",
			serve: serve(purgeVault, noContent)},
		{methods: opWrite, shape: "keyquorum/deleted-vaults/{vault}/recover",
			operation: "admin/vaults/recover", serve: serve(recoverVault, writeData)},
		{methods: opList, shape: "keyquorum/vaults/{vault}/grants", operation: "admin/grants/list",
			serve: serve(listGrants, writeData)},
		{methods: opWrite, shape: "keyquorum/vaults/{vault}/grants/{app}", operation: "admin/grants/set",
			body: smallBody, serve: serve(setGrant, writeData)},
		{methods: opRemove, shape: "keyquorum/vaults/{vault}/grants/{app}", operation: "admin/grants/set",
			serve: serve(revokeGrant, noContent)},
		{methods: opList, shape: "keyquorum/apps", operation: "admin/apps/list",
			serve: serve(listApps, writeData)},
		{methods: opWrite, shape: "keyquorum/apps", operation: "admin/apps/create", body: smallBody,
			serve: serve(createApp, writeData)},
		{methods: opGet, shape: "keyquorum/apps/{app}", operation: "admin/apps/get",
			serve: serve(getApp, writeData)},
		{methods: opWrite, shape: "keyquorum/apps/{app}", operation: "admin/apps/enable", body: smallBody,
			serve: serve(updateApp, writeData)},
		{methods: opRemove, shape: "keyquorum/apps/{app}", operation: "admin/apps/delete",
			serve: serve(deleteApp, noContent)},
		{methods: opWrite, shape: "keyquorum/apps/{app}/credentials", operation: "admin/credentials/add",
			body: smallBody, serve: serve(addCredential, writeCredential)},
		{methods: opRemove, shape: "keyquorum/apps/{app}/credentials/{id}",
			operation: "admin/credentials/remove", serve: serve(removeCredential, noContent)},
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

// PermissionNames are what an application can be allowed, on keys and on secrets.
func PermissionNames() (keys, secrets []string) { return vault.PermissionNames() }
