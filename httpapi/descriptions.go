package httpapi

// A description is what a route's table does not say of it: for the OpenAPI document, and for nothing else.
type description struct {
	summary string
	takes   form     // of the request's body
	gives   form     // of the answer; empty: 204, without a body
	query   []string // its parameters beside those of the plane, by their names in openapi.json
}

// Parameters of several routes.
var (
	paging = []string{"maxresults", "skiptoken"}
	probed = []string{"standbyok", "perfstandbyok", "activecode", "standbycode", "performancestandbycode", "haunhealthycode", "sealedcode", "uninitcode", "removedcode"}
)

// descriptions has a line for every route, by its first method and its shape. What the application plane takes and gives has a
// name in openapi.json; what the operator plane encodes from a Go type is that type.
var descriptions = map[string]description{
	"GET secrets":                          {"List the secrets of a vault", empty, named("SecretPage"), paging},
	"GET secrets/{name}/versions":          {"List the versions of a secret", empty, named("SecretPage"), paging},
	"GET secrets/{name}/[version]":         {"Get a secret", empty, named("Secret"), nil},
	"PUT secrets/{name}":                   {"Set a secret", named("SecretSet"), named("Secret"), nil},
	"PATCH secrets/{name}/[version]":       {"Change what belongs to a secret but for its value", named("SecretUpdate"), named("SecretItem"), nil},
	"DELETE secrets/{name}":                {"Delete a secret, so that it can be recovered", empty, named("DeletedSecret"), nil},
	"POST secrets/{name}/backup":           {"Back a secret up, all versions", empty, named("Bytes"), nil},
	"POST secrets/restore":                 {"Restore a secret from a backup", named("Bytes"), named("SecretItem"), nil},
	"GET deletedsecrets":                   {"List deleted secrets", empty, named("DeletedSecretPage"), paging},
	"GET deletedsecrets/{name}":            {"Get a deleted secret, without its value", empty, named("DeletedSecret"), nil},
	"POST deletedsecrets/{name}/recover":   {"Recover a deleted secret", empty, named("SecretItem"), nil},
	"DELETE deletedsecrets/{name}":         {"Purge a deleted secret", empty, empty, nil},
	"GET keys":                             {"List the keys of a vault", empty, named("KeyPage"), paging},
	"GET keys/{name}/versions":             {"List the versions of a key", empty, named("KeyPage"), paging},
	"GET keys/{name}/[version]":            {"Get the public half of a key", empty, named("Key"), nil},
	"POST keys/{name}/create":              {"Create a key, or a new version of it", named("KeyCreate"), named("Key"), nil},
	"PATCH keys/{name}/[version]":          {"Change what belongs to a key", named("KeyUpdate"), named("Key"), nil},
	"DELETE keys/{name}":                   {"Delete a key, so that it can be recovered", empty, named("DeletedKey"), nil},
	"PUT keys/{name}":                      {"Import a key", named("KeyImport"), named("Key"), nil},
	"POST keys/{name}/rotate":              {"Make a new version of a key", empty, named("Key"), nil},
	"GET keys/{name}/rotationpolicy":       {"When a key is rotated", empty, named("RotationPolicy"), nil},
	"PUT keys/{name}/rotationpolicy":       {"Set when a key is rotated", named("RotationPolicy"), named("RotationPolicy"), nil},
	"POST keys/{name}/backup":              {"Back a key up, all versions", empty, named("Bytes"), nil},
	"POST keys/restore":                    {"Restore a key from a backup", named("Bytes"), named("Key"), nil},
	"POST keys/{name}/[version]/release":   {"Release a key to an attested environment", named("Release"), named("Released"), nil},
	"POST rng":                             {"Get random bytes", named("Count"), named("Bytes"), nil},
	"GET deletedkeys":                      {"List deleted keys", empty, named("DeletedKeyPage"), paging},
	"GET deletedkeys/{name}":               {"Get a deleted key", empty, named("DeletedKey"), nil},
	"POST deletedkeys/{name}/recover":      {"Recover a deleted key", empty, named("Key"), nil},
	"DELETE deletedkeys/{name}":            {"Purge a deleted key", empty, empty, nil},
	"POST keys/{name}/[version]/sign":      {"Sign a digest", named("Operation"), named("OperationResult"), nil},
	"POST keys/{name}/[version]/verify":    {"Verify a signature", named("Verification"), named("Verdict"), nil},
	"POST keys/{name}/[version]/encrypt":   {"Encrypt", named("Operation"), named("OperationResult"), nil},
	"POST keys/{name}/[version]/decrypt":   {"Decrypt", named("Operation"), named("OperationResult"), nil},
	"POST keys/{name}/[version]/wrapkey":   {"Wrap a key", named("Operation"), named("OperationResult"), nil},
	"POST keys/{name}/[version]/unwrapkey": {"Unwrap a key", named("Operation"), named("OperationResult"), nil},

	"POST {tenant}/oauth2/token":                         {"Get a token with a client secret (RFC 6749 section 4.4)", named("TokenRequest"), named("AccessToken"), nil},
	"POST {tenant}/oauth2/v2.0/token":                    {"Get a token with a client secret (RFC 6749 section 4.4)", named("TokenRequest"), named("AccessToken"), nil},
	"GET {tenant}/.well-known/openid-configuration":      {"Where the endpoints are (OpenID Connect Discovery 1.0)", empty, named("OpenIDConfiguration"), nil},
	"GET {tenant}/v2.0/.well-known/openid-configuration": {"Where the endpoints are (OpenID Connect Discovery 1.0)", empty, named("OpenIDConfiguration"), nil},
	"GET {tenant}/discovery/keys":                        {"Public keys that verify tokens", empty, named("JWKS"), nil},
	"GET {tenant}/discovery/v2.0/keys":                   {"Public keys that verify tokens", empty, named("JWKS"), nil},

	"GET sys/metrics":                          {"Metrics in Prometheus' text format", empty, plainText, []string{"format"}},
	"GET sys/health":                           {"Whether this node is well: the status says", empty, typed[healthData]().always(), probed},
	"GET sys/seal-status":                      {"Whether this node is sealed", empty, typed[sealStatusData](), nil},
	"GET sys/leader":                           {"Who leads", empty, typed[leaderData](), nil},
	"GET sys/ha-status":                        {"All nodes, and what may be lost", empty, typed[haStatusData](), nil},
	"GET sys/init":                             {"Whether this node has a cluster", empty, typed[initializedData](), nil},
	"PUT sys/init":                             {"Make a cluster", typed[initRequest](), named("Init"), nil},
	"PUT sys/unseal":                           {"Give an unseal share", typed[unsealRequest](), typed[sealStatusData](), nil},
	"PUT sys/seal":                             {"Seal this node", empty, empty, nil},
	"PUT sys/step-down":                        {"Hand leadership over", empty, empty, nil},
	"GET sys/key-status":                       {"Since when the keyring has been what it is", empty, typed[keyStatusData](), nil},
	"GET sys/loggers":                          {"At which level the node logs", empty, typed[logLevelData](), nil},
	"PUT sys/loggers":                          {"Log at another level", typed[logLevelData](), empty, nil},
	"DELETE sys/loggers":                       {"Log at the level that the node was started with", empty, empty, nil},
	"PUT sys/rotate":                           {"Change the keyring and the transaction key", empty, empty, nil},
	"PUT sys/rotate/keyring":                   {"Change the keyring and the transaction key", empty, empty, nil},
	"GET auth/token/lookup-self":               {"What the token is", empty, typed[tokenData](), nil},
	"PUT sys/storage/raft/join":                {"Join a cluster", typed[joinRequest](), typed[joinData](), nil},
	"PUT sys/storage/raft/bootstrap/challenge": {"What a joining node asks first", typed[challengeBody](), typed[challengeData](), nil},
	"PUT sys/storage/raft/bootstrap/answer":    {"What a joining node proves", typed[answerBody](), typed[admissionData](), nil},
	"GET sys/storage/raft/configuration":       {"Members of the cluster", empty, typed[configurationData](), nil},
	"PUT sys/storage/raft/remove-peer":         {"Remove a member", typed[removeRequest](), empty, nil},

	"GET keyquorum/state":                          {"Digest of what this node holds", empty, typed[stateData](), []string{"index"}},
	"GET keyquorum/vaults":                         {"List vaults", empty, typed[vaultList](), nil},
	"PUT keyquorum/vaults":                         {"Create a vault", typed[vaultRequest](), typed[vaultData](), nil},
	"GET keyquorum/vaults/{vault}":                 {"Get a vault", empty, typed[vaultData](), nil},
	"PUT keyquorum/vaults/{vault}":                 {"Change a vault", typed[vaultChange](), typed[vaultData](), nil},
	"DELETE keyquorum/vaults/{vault}":              {"Delete a vault, so that it can be recovered", empty, typed[vaultData](), nil},
	"GET keyquorum/deleted-vaults":                 {"List deleted vaults", empty, typed[vaultList](), nil},
	"GET keyquorum/deleted-vaults/{vault}":         {"Get a deleted vault", empty, typed[vaultData](), nil},
	"DELETE keyquorum/deleted-vaults/{vault}":      {"Purge a deleted vault", empty, empty, nil},
	"PUT keyquorum/deleted-vaults/{vault}/recover": {"Recover a deleted vault", empty, typed[vaultData](), nil},
	"GET keyquorum/vaults/{vault}/grants":          {"List who may do what in a vault", empty, typed[grantList](), nil},
	"PUT keyquorum/vaults/{vault}/grants/{app}":    {"Set what an application may do in a vault", typed[grantRequest](), typed[grantData](), nil},
	"DELETE keyquorum/vaults/{vault}/grants/{app}": {"Revoke it", empty, empty, nil},
	"GET keyquorum/apps":                           {"List applications", empty, typed[appList](), nil},
	"PUT keyquorum/apps":                           {"Create an application", typed[appRequest](), typed[appData](), nil},
	"GET keyquorum/apps/{app}":                     {"Get an application", empty, typed[appData](), nil},
	"PUT keyquorum/apps/{app}":                     {"Enable or disable an application", typed[enabledRequest](), typed[appData](), nil},
	"DELETE keyquorum/apps/{app}":                  {"Delete an application", empty, empty, nil},
	"PUT keyquorum/apps/{app}/credentials":         {"Add a client secret", typed[credentialRequest](), named("NewCredential"), nil},
	"DELETE keyquorum/apps/{app}/credentials/{id}": {"Remove a client secret", empty, empty, nil},
	"PUT keyquorum/rotate/keyring":                 {"Change the keyring and the transaction key", empty, typed[rotationData](), nil},
	"GET keyquorum/rotate/keyring":                 {"Where that stands", empty, typed[rotationData](), nil},
	"PUT keyquorum/rotate/token-key":               {"Change the key that signs access tokens", typed[rotateTokensRequest](), typed[rotationData](), nil},
	"GET keyquorum/rotate/token-key":               {"Where that stands", empty, typed[rotationData](), nil},
	"PUT keyquorum/rotate/gossip-key":              {"Change the key that encrypts gossip", empty, typed[rotationData](), nil},
	"GET keyquorum/rotate/gossip-key":              {"Where that stands", empty, typed[rotationData](), nil},
	"PUT keyquorum/rotate/node-keys":               {"Change the key of every node", empty, typed[rotationData](), nil},
	"GET keyquorum/rotate/node-keys":               {"Where that stands", empty, typed[rotationData](), nil},
	"PUT keyquorum/rotate/authority":               {"Change the authority that certifies the nodes' keys, and these with it", empty, typed[rotationData](), nil},
	"GET keyquorum/rotate/authority":               {"Where that stands", empty, typed[rotationData](), nil},
}
