package azure

import "keyquorum/httpapi/openapi"

// What the plane's routes do, and what they take and give, for the OpenAPI document and for nothing
// else. What is taken and given has a name in openapi.json.

// paging are parameters of several routes.
var paging = []string{"maxresults", "skiptoken"}

// descriptions has a line for every route, by its first method and its shape.
var descriptions = map[string]openapi.Description{
	"GET secrets": {Summary: "List the secrets of a vault", Gives: openapi.Named("SecretPage"),
		Query: paging},
	"GET secrets/{name}/versions": {
		Summary: "List the versions of a secret", Gives: openapi.Named("SecretPage"), Query: paging},
	"GET secrets/{name}/[version]": {Summary: "Get a secret", Gives: openapi.Named("Secret")},
	"PUT secrets/{name}": {Summary: "Set a secret", Takes: openapi.Named("SecretSet"),
		Gives: openapi.Named("Secret")},
	"PATCH secrets/{name}/[version]": {
		Summary: "Change what belongs to a secret but for its value",
		Takes:   openapi.Named("SecretUpdate"), Gives: openapi.Named("SecretItem")},
	"DELETE secrets/{name}": {
		Summary: "Delete a secret, so that it can be recovered", Gives: openapi.Named("DeletedSecret")},
	"POST secrets/{name}/backup": {Summary: "Back a secret up, all versions",
		Gives: openapi.Named("Bytes")},
	"POST secrets/restore": {
		Summary: "Restore a secret from a backup", Takes: openapi.Named("Bytes"),
		Gives: openapi.Named("SecretItem")},
	"GET deletedsecrets": {
		Summary: "List deleted secrets", Gives: openapi.Named("DeletedSecretPage"), Query: paging},
	"GET deletedsecrets/{name}": {
		Summary: "Get a deleted secret, without its value", Gives: openapi.Named("DeletedSecret")},
	"POST deletedsecrets/{name}/recover": {
		Summary: "Recover a deleted secret", Gives: openapi.Named("SecretItem")},
	"DELETE deletedsecrets/{name}": {Summary: "Purge a deleted secret"},
	"GET keys": {Summary: "List the keys of a vault",
		Gives: openapi.Named("KeyPage"), Query: paging},
	"GET keys/{name}/versions": {
		Summary: "List the versions of a key", Gives: openapi.Named("KeyPage"), Query: paging},
	"GET keys/{name}/[version]": {Summary: "Get the public half of a key",
		Gives: openapi.Named("Key")},
	"POST keys/{name}/create": {
		Summary: "Create a key, or a new version of it", Takes: openapi.Named("KeyCreate"),
		Gives: openapi.Named("Key")},
	"PATCH keys/{name}/[version]": {
		Summary: "Change what belongs to a key", Takes: openapi.Named("KeyUpdate"),
		Gives: openapi.Named("Key")},
	"DELETE keys/{name}": {
		Summary: "Delete a key, so that it can be recovered", Gives: openapi.Named("DeletedKey")},
	"PUT keys/{name}": {Summary: "Import a key", Takes: openapi.Named("KeyImport"),
		Gives: openapi.Named("Key")},
	"POST keys/{name}/rotate": {Summary: "Make a new version of a key", Gives: openapi.Named("Key")},
	"GET keys/{name}/rotationpolicy": {
		Summary: "When a key is rotated", Gives: openapi.Named("RotationPolicy")},
	"PUT keys/{name}/rotationpolicy": {
		Summary: "Set when a key is rotated",
		Takes:   openapi.Named("RotationPolicy"), Gives: openapi.Named("RotationPolicy")},
	"POST keys/{name}/backup": {Summary: "Back a key up, all versions", Gives: openapi.Named("Bytes")},
	"POST keys/restore": {
		Summary: "Restore a key from a backup", Takes: openapi.Named("Bytes"),
		Gives: openapi.Named("Key")},
	"POST keys/{name}/[version]/release": {
		Summary: "Release a key to an attested environment",
		Takes:   openapi.Named("Release"), Gives: openapi.Named("Released")},
	"POST rng": {Summary: "Get random bytes", Takes: openapi.Named("Count"),
		Gives: openapi.Named("Bytes")},
	"GET deletedkeys": {Summary: "List deleted keys",
		Gives: openapi.Named("DeletedKeyPage"), Query: paging},
	"GET deletedkeys/{name}": {Summary: "Get a deleted key",
		Gives: openapi.Named("DeletedKey")},
	"POST deletedkeys/{name}/recover": {Summary: "Recover a deleted key", Gives: openapi.Named("Key")},
	"DELETE deletedkeys/{name}":       {Summary: "Purge a deleted key"},
	"POST keys/{name}/[version]/sign": {
		Summary: "Sign a digest", Takes: openapi.Named("Operation"),
		Gives: openapi.Named("OperationResult")},
	"POST keys/{name}/[version]/verify": {
		Summary: "Verify a signature", Takes: openapi.Named("Verification"),
		Gives: openapi.Named("Verdict")},
	"POST keys/{name}/[version]/encrypt": {
		Summary: "Encrypt", Takes: openapi.Named("Operation"), Gives: openapi.Named("OperationResult")},
	"POST keys/{name}/[version]/decrypt": {
		Summary: "Decrypt", Takes: openapi.Named("Operation"), Gives: openapi.Named("OperationResult")},
	"POST keys/{name}/[version]/wrapkey": {
		Summary: "Wrap a key", Takes: openapi.Named("Operation"),
		Gives: openapi.Named("OperationResult")},
	"POST keys/{name}/[version]/unwrapkey": {
		Summary: "Unwrap a key", Takes: openapi.Named("Operation"),
		Gives: openapi.Named("OperationResult")},
	"POST {tenant}/oauth2/token": {
		Summary: "Get a token with a client secret (RFC 6749 section 4.4)",
		Takes:   openapi.Named("TokenRequest"), Gives: openapi.Named("AccessToken")},
	"POST {tenant}/oauth2/v2.0/token": {
		Summary: "Get a token with a client secret (RFC 6749 section 4.4)",
		Takes:   openapi.Named("TokenRequest"), Gives: openapi.Named("AccessToken")},
	"GET {tenant}/.well-known/openid-configuration": {
		Summary: "Where the endpoints are (OpenID Connect Discovery 1.0)",
		Gives:   openapi.Named("OpenIDConfiguration")},
	"GET {tenant}/v2.0/.well-known/openid-configuration": {
		Summary: "Where the endpoints are (OpenID Connect Discovery 1.0)",
		Gives:   openapi.Named("OpenIDConfiguration")},
	"GET {tenant}/discovery/keys": {Summary: "Public keys that verify tokens",
		Gives: openapi.Named("JWKS")},
	"GET {tenant}/discovery/v2.0/keys": {
		Summary: "Public keys that verify tokens", Gives: openapi.Named("JWKS")},
}

// Surfaces are what the OpenAPI document says of the plane, and of the login host.
func Surfaces() (application, login openapi.Surface) {
	application = openapi.Surface{
		Routes: applicationRoutes(), Descriptions: descriptions, Prefix: "/",
		Security:   []string{"application"},
		Parameters: []string{"api-version", "consistency", "x-ms-client-request-id"},
		Bodies:     "application/json",
		Refusals:   map[string]string{"401": "Unauthorized", "default": "Error"},
	}
	login = openapi.Surface{
		Routes: tokenRoutes(), Descriptions: descriptions, Prefix: "/",
		Host:     openapi.Host{What: "login host", Variable: "login", Example: "login.example.org:8200"},
		Bodies:   "application/x-www-form-urlencoded",
		Refusals: map[string]string{"default": "OAuthError"},
	}
	return application, login
}
