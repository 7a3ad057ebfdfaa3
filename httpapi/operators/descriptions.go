package operators

import (
	"maps"
	"slices"
	"strings"

	"keyquorum/httpapi/joining"
	"keyquorum/httpapi/openapi"
)

// What the plane's routes do, and what they take and give, for the OpenAPI document and for nothing
// else. What is encoded from a Go type is that type.

// probed are parameters of a probe.
var probed = []string{"standbyok", "perfstandbyok", "activecode", "standbycode",
	"performancestandbycode", "haunhealthycode", "sealedcode", "uninitcode", "removedcode"}

// descriptions has a line for every route, by its first method and its shape.
var descriptions = underSecondNames(map[string]openapi.Description{
	"GET sys/metrics": {
		Summary: "Metrics in Prometheus' text format", Gives: openapi.PlainText,
		Query: []string{"format"}},
	"GET sys/health": {
		Summary: "Whether this node is well: the status says",
		Gives:   openapi.Typed[healthData]().Always(), Query: probed},
	"GET sys/seal-status": {Summary: "Whether this node is sealed",
		Gives: openapi.Typed[sealStatusData]()},
	"GET sys/leader": {Summary: "Who leads", Gives: openapi.Typed[leaderData]()},
	"GET sys/ha-status": {Summary: "All nodes, and what may be lost",
		Gives: openapi.Typed[haStatusData]()},
	"GET sys/init": {Summary: "Whether this node has a cluster",
		Gives: openapi.Typed[initializedData]()},
	"PUT sys/init": {Summary: "Make a cluster", Takes: openapi.Typed[initRequest](),
		Gives: openapi.Named("Init")},
	"PUT sys/unseal": {
		Summary: "Give an unseal share", Takes: openapi.Typed[unsealRequest](),
		Gives: openapi.Typed[sealStatusData]()},
	"PUT keyquorum/unseal": {
		Summary: "Give an unseal share to all sealed nodes",
		Takes:   openapi.Typed[relayRequest](), Gives: openapi.Typed[relayData]()},
	"GET keyquorum/seal-lock": {
		Summary: "What tells whether an unseal share is one of this cluster's",
		Gives:   openapi.Typed[sealLockData]()},
	"PUT sys/seal":      {Summary: "Seal this node"},
	"PUT sys/step-down": {Summary: "Hand leadership over"},
	"GET sys/key-status": {
		Summary: "Since when the keyring has been what it is", Gives: openapi.Typed[keyStatusData]()},
	"GET sys/loggers": {Summary: "At which level the node logs",
		Gives: openapi.Typed[logLevelData]()},
	"PUT sys/loggers":    {Summary: "Log at another level", Takes: openapi.Typed[logLevelData]()},
	"DELETE sys/loggers": {Summary: "Log at the level that the settings have"},
	"GET sys/pprof/goroutine": {
		Summary: "In which functions this node's goroutines are", Gives: openapi.PlainText},
	"GET sys/rotate/config": {
		Summary: "When the keyring is changed by itself", Gives: openapi.Typed[scheduleData]()},
	"PUT sys/rotate/config": {Summary: "Change that", Takes: openapi.Typed[scheduleRequest]()},
	"GET sys/rotate/keyring/config": {
		Summary: "When the keyring is changed by itself", Gives: openapi.Typed[scheduleData]()},
	"PUT sys/rotate/keyring/config": {Summary: "Change that", Takes: openapi.Typed[scheduleRequest]()},
	"PUT sys/rotate":                {Summary: "Change the keyring and the transaction key"},
	"PUT sys/rotate/keyring":        {Summary: "Change the keyring and the transaction key"},
	"GET sys/rekey/init": {
		Summary: "Where the change of the unseal shares at this node stands",
		Gives:   openapi.Typed[rekeyData]()},
	"PUT sys/rekey/init": {
		Summary: "Begin to change the unseal shares",
		Takes:   openapi.Typed[rekeyRequest](), Gives: openapi.Typed[rekeyData]()},
	"DELETE sys/rekey/init": {
		Summary: "End that, and leave the shares as they are", Takes: openapi.Typed[cancelRequest]()},
	"PUT sys/rekey/update": {
		Summary: "Give one of the shares; the last one makes new ones",
		Takes:   openapi.Typed[shareRequest](), Gives: openapi.Typed[rekeyData]()},
	"GET sys/rekey/verify": {
		Summary: "How many of the new shares were given back",
		Gives:   openapi.Typed[rekeyVerificationData]()},
	"PUT sys/rekey/verify": {
		Summary: "Give one of the new shares back; the last one puts them in force",
		Takes:   openapi.Typed[shareRequest](), Gives: openapi.Typed[rekeyVerificationData]()},
	"DELETE sys/rekey/verify": {
		Summary: "Forget the new shares that were given back",
		Gives:   openapi.Typed[rekeyVerificationData]()},
	"GET sys/generate-root/attempt": {
		Summary: "Where the making of a root token at this node stands",
		Gives:   openapi.Typed[generateRootData]()},
	"PUT sys/generate-root/attempt": {
		Summary: "Begin to make a root token",
		Takes:   openapi.Typed[generateRootRequest](), Gives: openapi.Typed[generateRootData]()},
	"DELETE sys/generate-root/attempt": {Summary: "End that"},
	"PUT sys/generate-root/update": {
		Summary: "Give one of the shares; the last one makes the token",
		Takes:   openapi.Typed[shareRequest](), Gives: openapi.Typed[generateRootData]()},
	"PUT sys/decode-token": {
		Summary: "Take the one-time password off a root token",
		Takes:   openapi.Typed[decodeTokenRequest](), Gives: openapi.Typed[decodedTokenData]()},
	"GET auth/token/lookup-self": {Summary: "What the token is", Gives: openapi.Typed[tokenData]()},
	"PUT sys/storage/raft/join": {
		Summary: "Join a cluster", Takes: openapi.Typed[joinRequest](), Gives: openapi.Typed[joinData]()},
	"PUT sys/storage/raft/bootstrap/challenge": {
		Summary: "What a joining node asks first",
		Takes:   openapi.Typed[joining.ChallengeBody](), Gives: openapi.Typed[joining.ChallengeData]()},
	"PUT sys/storage/raft/bootstrap/answer": {
		Summary: "What a joining node proves", Takes: openapi.Typed[joining.AnswerBody](),
		Gives: openapi.Typed[joining.AdmissionData]()},
	"GET sys/storage/raft/configuration": {
		Summary: "Members of the cluster", Gives: openapi.Typed[configurationData]()},
	"PUT sys/storage/raft/remove-peer": {Summary: "Remove a member",
		Takes: openapi.Typed[removeRequest]()},
	"PUT sys/storage/raft/promote": {Summary: "Give a member a vote",
		Takes: openapi.Typed[voteRequest]()},
	"PUT sys/storage/raft/demote": {Summary: "Take a member's vote away",
		Takes: openapi.Typed[voteRequest]()},
	"GET sys/storage/raft/autopilot/state": {
		Summary: "How the members are, as the leader sees them", Gives: openapi.Typed[autopilotData]()},
	"GET sys/storage/raft/autopilot/configuration": {
		Summary: "By what autopilot judges members", Gives: openapi.Typed[autopilotConfigData]()},
	"PUT sys/storage/raft/autopilot/configuration": {
		Summary: "Change by what autopilot judges members",
		Takes:   openapi.Typed[autopilotConfigRequest]()},
	"GET sys/storage/raft/snapshot": {
		Summary: "Take a snapshot of the cluster, as a gzip of a tar", Gives: openapi.Gzipped},
	"PUT sys/storage/raft/snapshot": {
		Summary: "Go back to a snapshot of this cluster", Takes: openapi.Gzipped},
	"GET keyquorum/state": {
		Summary: "Digest of what this node holds", Gives: openapi.Typed[stateData](),
		Query: []string{"index"}},
	"GET keyquorum/vaults": {Summary: "List vaults", Gives: openapi.Typed[vaultList]()},
	"PUT keyquorum/vaults": {
		Summary: "Create a vault", Takes: openapi.Typed[vaultRequest](),
		Gives: openapi.Typed[vaultData]()},
	"GET keyquorum/vaults/{vault}": {Summary: "Get a vault", Gives: openapi.Typed[vaultData]()},
	"PUT keyquorum/vaults/{vault}": {
		Summary: "Change a vault", Takes: openapi.Typed[vaultChange](),
		Gives: openapi.Typed[vaultData]()},
	"DELETE keyquorum/vaults/{vault}": {
		Summary: "Delete a vault, so that it can be recovered", Gives: openapi.Typed[vaultData]()},
	"GET keyquorum/deleted-vaults": {Summary: "List deleted vaults",
		Gives: openapi.Typed[vaultList]()},
	"GET keyquorum/deleted-vaults/{vault}": {
		Summary: "Get a deleted vault", Gives: openapi.Typed[vaultData]()},
	"DELETE keyquorum/deleted-vaults/{vault}": {Summary: "Purge a deleted vault"},
	"PUT keyquorum/deleted-vaults/{vault}/recover": {
		Summary: "Recover a deleted vault", Gives: openapi.Typed[vaultData]()},
	"GET keyquorum/vaults/{vault}/grants": {
		Summary: "List who may do what in a vault", Gives: openapi.Typed[grantList]()},
	"PUT keyquorum/vaults/{vault}/grants/{app}": {
		Summary: "Set what an application may do in a vault",
		Takes:   openapi.Typed[grantRequest](), Gives: openapi.Typed[grantData]()},
	"DELETE keyquorum/vaults/{vault}/grants/{app}": {Summary: "Revoke it"},
	"GET keyquorum/apps": {Summary: "List applications",
		Gives: openapi.Typed[appList]()},
	"PUT keyquorum/apps": {
		Summary: "Create an application", Takes: openapi.Typed[appRequest](),
		Gives: openapi.Typed[appData]()},
	"GET keyquorum/apps/{app}": {Summary: "Get an application", Gives: openapi.Typed[appData]()},
	"PUT keyquorum/apps/{app}": {
		Summary: "Enable or disable an application",
		Takes:   openapi.Typed[enabledRequest](), Gives: openapi.Typed[appData]()},
	"DELETE keyquorum/apps/{app}": {Summary: "Delete an application"},
	"PUT keyquorum/apps/{app}/credentials": {
		Summary: "Add a client secret", Takes: openapi.Typed[credentialRequest](),
		Gives: openapi.Named("NewCredential")},
	"DELETE keyquorum/apps/{app}/credentials/{id}": {Summary: "Remove a client secret"},
	"PUT keyquorum/snapshot/object": {
		Summary: "Compare an object with what it was in a snapshot of this cluster",
		Takes:   openapi.Gzipped, Gives: openapi.Typed[comparisonData](), Query: objectQuery},
	"PUT keyquorum/snapshot/object/restore": {
		Summary: "Bring an object back out of a snapshot",
		Takes:   openapi.Gzipped, Gives: openapi.Typed[comparisonData](), Query: objectQuery},
	"PUT keyquorum/rotate/keyring": {
		Summary: "Change the keyring and the transaction key",
		Takes:   openapi.Typed[rotateKeyringRequest](), Gives: openapi.Typed[rotationData]()},
	"GET keyquorum/rotate/keyring": {Summary: "Where that stands",
		Gives: openapi.Typed[rotationData]()},
	"PUT keyquorum/rotate/token-key": {
		Summary: "Change the key that signs access tokens",
		Takes:   openapi.Typed[rotateTokensRequest](), Gives: openapi.Typed[rotationData]()},
	"GET keyquorum/rotate/token-key": {Summary: "Where that stands",
		Gives: openapi.Typed[rotationData]()},
	"PUT keyquorum/rotate/gossip-key": {
		Summary: "Change the key that encrypts gossip", Gives: openapi.Typed[rotationData]()},
	"GET keyquorum/rotate/gossip-key": {Summary: "Where that stands",
		Gives: openapi.Typed[rotationData]()},
	"PUT keyquorum/rotate/node-keys": {
		Summary: "Change the key of every node", Gives: openapi.Typed[rotationData]()},
	"GET keyquorum/rotate/node-keys": {Summary: "Where that stands",
		Gives: openapi.Typed[rotationData]()},
	"PUT keyquorum/rotate/authority": {
		Summary: "Change the authority that certifies the nodes' keys, and these with it",
		Gives:   openapi.Typed[rotationData]()},
	"GET keyquorum/rotate/authority": {Summary: "Where that stands",
		Gives: openapi.Typed[rotationData]()},
	"GET keyquorum/seal/wrappers": {
		Summary: "List the wrappers of the root key beside the shares",
		Gives:   openapi.Typed[wrapperList]()},
	"PUT keyquorum/seal/wrappers/test": {
		Summary: "Open each that this node's configuration names", Gives: openapi.Typed[wrapperList]()},
	"DELETE keyquorum/seal/wrappers/{wrapper}": {Summary: "Take one off the list"},
	"GET keyquorum/seal/addition": {
		Summary: "Where the addition of a wrapper at this node stands",
		Gives:   openapi.Typed[additionData]()},
	"PUT keyquorum/seal/addition": {
		Summary: "Begin to add a wrapper", Takes: openapi.Typed[additionRequest](),
		Gives: openapi.Typed[additionData]()},
	"DELETE keyquorum/seal/addition": {Summary: "End that", Gives: openapi.Typed[additionData]()},
	"PUT keyquorum/seal/addition/share": {
		Summary: "Give one of the shares; the last one adds the wrapper",
		Takes:   openapi.Typed[shareRequest](), Gives: openapi.Typed[additionData]()},
})

// underSecondNames describes what two generations of clients call differently under both names.
func underSecondNames(d map[string]openapi.Description) map[string]openapi.Description {
	for key, about := range maps.Clone(d) {
		for first, second := range map[string]string{
			" sys/rekey/": " sys/rotate/root/", " sys/generate-root/": " sys/generate-root-token/",
		} {
			if strings.Contains(key, first) {
				d[strings.Replace(key, first, second, 1)] = about
			}
		}
	}
	return d
}

// Surface is what the OpenAPI document says of the plane.
func Surface() openapi.Surface {
	return openapi.Surface{
		Routes:       slices.Concat(operatorRoutes(false), adminRoutes()),
		Descriptions: descriptions, Prefix: "/v1/",
		Host:       openapi.Host{What: "operator plane", Variable: "node", Example: "localhost:8200"},
		Security:   []string{"operator", "operatorBearer"},
		Parameters: []string{"X-Vault-Index"},
		Bodies:     "application/json",
		Refusals:   map[string]string{"default": "Errors"},
		Envelope:   true,
	}
}
