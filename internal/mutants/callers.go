package main

import "keyquorum/internal/overlay"

// callerMutants are bugs in who is told apart from whom before anybody has shown a token.
var callerMutants = []mutant{
	{
		name: "anybody-forwards", bug: "anybody's X-Forwarded-For says where a request comes from",
		edits: []overlay.Edit{{
			File: "keyquorum/httpapi/forwarded/header.go",
			Old:  "	if !within(t.Headers, from.Addr()) {\n",
			New:  "	if !from.IsValid() {\n",
		}},
		test: "./httpapi TestForwardedForTellsWhoCalls",
	},
	{
		name: "announced-if-it-likes",
		bug:  "a balancer may leave its PROXY header to its client",
		edits: []overlay.Edit{{
			File: "keyquorum/httpapi/forwarded/proxy.go",
			Old:  "proxyproto.WithPolicy(proxyproto.REQUIRE)",
			New:  "proxyproto.WithPolicy(proxyproto.USE)",
		}},
		test: "./httpapi TestOnlyBalancersAnnounce",
	},
	{
		name: "near-by-word", bug: "a caller is on this machine because a balancer says so",
		edits: []overlay.Edit{{
			File: "keyquorum/httpapi/operators/raft.go",
			Old:  "	return err == nil && c.Req.Via == \"\" && from",
			New:  "	return err == nil && from",
		}},
		test: "./httpapi TestNobodyIsNearByWord",
	},
	{
		name: "source-of-the-balancer",
		bug:  "all callers behind a balancer share what one source may have",
		edits: []overlay.Edit{{
			File: "keyquorum/httpapi/connections/connections.go",
			Old:  "	place.Move(from.RemoteAddr())\n",
			New:  "",
		}},
		test: "./httpapi TestSourcesAreCallers",
	},
}
