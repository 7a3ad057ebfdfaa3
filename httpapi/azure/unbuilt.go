package azure

import (
	"net/http"
	"slices"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
)

// What Azure's contract has and this server has not. A client must not take its absence for an
// answer: to some 404 says that a certificate is deleted, or that there never was one.

// unbuiltCollections are first segments of paths of which there is nothing.
var unbuiltCollections = []string{
	// Key Vault:
	"certificates", "deletedcertificates", "storage", "deletedstorage",
	// Managed HSM:
	"backup", "prebackup", "prerestore", "restore", "settings", "providers", "securitydomain",
}

// unbuiltRoutes are operations of collections that are there.
var unbuiltRoutes = []exchange.Route{
	{Methods: get, Shape: "keys/{name}/[version]/attestation"},
	{Methods: post, Shape: "keys/{name}/[version]/securewrapkey"},
	{Methods: post, Shape: "keys/{name}/[version]/secureunwrapkey"},
	{Methods: put, Shape: "keys/{name}/restore"},
	{Methods: ofRoles, Shape: "keys/providers/microsoft.authorization/roleassignments/[id]"},
	{Methods: ofRoles, Shape: "keys/providers/microsoft.authorization/roledefinitions/[id]"},
	{Methods: ofRoles, Shape: "keys/{name}/providers/microsoft.authorization/roleassignments/[id]"},
	{Methods: ofRoles, Shape: "keys/{name}/providers/microsoft.authorization/roledefinitions/[id]"},
}

var ofRoles = []string{http.MethodGet, http.MethodPut, http.MethodDelete}

// unbuilt: path is a path that no route has for this method.
func unbuilt(method string, path []string) bool {
	if len(path) == 0 {
		return false
	}
	in := func(collection string) bool { return wire.EqualFold(path[0], collection) }
	if slices.ContainsFunc(unbuiltCollections, in) {
		return true
	}
	var ignored exchange.Params
	rt, _, _ := exchange.Find(unbuiltRoutes, method, path, wire.EqualFold, &ignored)
	return rt != nil
}

// notBuilt has a status that SDKs don't try again.
func notBuilt() *wire.Failure {
	return wire.Refuse(http.StatusNotImplemented, "NotImplemented",
		"Azure has this operation; this server does not.")
}
