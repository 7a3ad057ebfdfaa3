package httpapi

import (
	"context"
	"strings"

	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

func keyRoutes() []route {
	routes := []route{
		{methods: appGet, shape: "keys/{name}/versions", operation: "keys/versions",
			serve: serve(listKeyVersions, writeKeyVersions)},
		{methods: appGet, shape: "keys/{name}/rotationpolicy", operation: "keys/getrotationpolicy",
			serve: serve(getRotationPolicy, writeRotationPolicy)},
		{methods: appPut, shape: "keys/{name}/rotationpolicy", operation: "keys/setrotationpolicy",
			body: smallBody, serve: serve(setRotationPolicy, writeRotationPolicy)},
		{methods: appGet, shape: "keys/{name}/[version]", operation: "keys/get",
			serve: serve(getKey, writeKey)},
		{methods: appGet, shape: "keys", operation: "keys/list", serve: serve(listKeys, writeKeyPage)},
		{methods: appPost, shape: "keys/{name}/create", operation: "keys/create", body: maxBody,
			serve: serve(createKey, writeKey)},
		{methods: appPut, shape: "keys/{name}", operation: "keys/import", body: maxBody,
			serve: serve(importKey, writeKey)},
		{methods: appPost, shape: "keys/{name}/rotate", operation: "keys/rotate",
			serve: serve(rotateKey, writeKey)},
		{methods: appPost, shape: "keys/{name}/backup", operation: "keys/backup",
			within: transferTime, serve: serve(backupKey, writeValue)},
		{methods: appPost, shape: "keys/restore", operation: "keys/restore", body: restoreBody,
			within: transferTime, serve: serve(restoreKey, writeKey)},
		{methods: appPost, shape: "keys/{name}/[version]/release", operation: "keys/release",
			body: smallBody, serve: serve(releaseKey, writeToken)},
		{methods: appPost, shape: "rng", operation: "rng", body: tinyBody,
			serve: serve(randomBytes, writeValue)},
		{methods: appPatch, shape: "keys/{name}/[version]", operation: "keys/update", body: maxBody,
			serve: serve(updateKey, writeKey)},
		{methods: appRemove, shape: "keys/{name}", operation: "keys/delete",
			serve: serve(deleteKey, writeKey)},
		{methods: appGet, shape: "deletedkeys", operation: "keys/listdeleted",
			serve: serve(listDeletedKeys, writeKeyPage)},
		{methods: appGet, shape: "deletedkeys/{name}", operation: "keys/getdeleted",
			serve: serve(getDeletedKey, writeKey)},
		{methods: appPost, shape: "deletedkeys/{name}/recover", operation: "keys/recover",
			serve: serve(recoverKey, writeKey)},
		{methods: appRemove, shape: "deletedkeys/{name}", operation: "keys/purge",
			serve: serve(purgeKey, noContent)},
		{methods: appPost, shape: "keys/{name}/[version]/verify", operation: "keys/verify", body: smallBody,
			serve: serve(verifyDigest, writeVerdict)},
	}
	for name, verb := range map[string]cryptoVerb{
		"sign": signDigest, "encrypt": (*vault.Vaults).Encrypt, "decrypt": (*vault.Vaults).Decrypt,
		"wrapKey": (*vault.Vaults).WrapKey, "unwrapKey": (*vault.Vaults).UnwrapKey,
	} {
		routes = append(routes, route{methods: appPost,
			shape: "keys/{name}/[version]/" + strings.ToLower(name), operation: "keys/" + name,
			body: smallBody, serve: serve(verb.call, writeCrypto)})
	}
	return routes
}

// keyRequest is the body of create and update.
type keyRequest struct {
	vault.KeySpec
	vault.Change
}

func (q *keyRequest) Member(name, value []byte) error {
	switch string(name) {
	case "kty":
		return textValue("kty", value, &q.Kty)
	case "crv":
		return textValue("crv", value, &q.Crv)
	case "key_size":
		return givenInt("key_size", value, &q.Size)
	case "public_exponent":
		return givenInt("public_exponent", value, &q.PublicExponent)
	case "key_ops":
		return textList("key_ops", value, &q.KeyOps)
	default:
		return keyChangeMember(&q.Change, name, value)
	}
}

// keyChangeMember decodes what create, import and update have in common.
func keyChangeMember(ch *vault.Change, name, value []byte) error {
	if string(name) != "release_policy" {
		return changeMember(ch, name, value)
	}
	if wire.IsNull(value) {
		return nil
	}
	if value[0] != '{' {
		return wire.InvalidProperty("release_policy")
	}
	return wire.EachKnown(value, func(name, value []byte) error {
		if ch.Release == nil { // an empty object is not supplied
			ch.Release = new(vault.ReleasePolicy)
		}
		switch string(name) {
		case "contentType":
			return textValue("release_policy.contentType", value, &ch.Release.ContentType)
		case "data":
			return binaryValue("release_policy.data", value, &ch.Release.Data)
		case "immutable":
			var immutable *bool
			if err := boolValue("release_policy.immutable", value, &immutable); err != nil ||
				immutable == nil {
				return err
			}
			ch.Release.Immutable = *immutable
		default:
			return wire.ErrUnknownMember
		}
		return nil
	})
}

func createKey(c *appCall, q *keyRequest) (vault.Key, error) {
	return c.vaults.CreateKey(c.ctx, c.caller, c.params[0], q.KeySpec, q.Change)
}

func getKey(c *appCall, _ *none) (vault.Key, error) {
	return c.vaults.GetKey(c.ctx, c.caller, c.params[0], c.params[1])
}

func updateKey(c *appCall, q *keyRequest) (vault.Key, error) {
	return c.vaults.UpdateKey(c.ctx, c.caller, c.params[0], c.params[1], q.Change)
}

func deleteKey(c *appCall, _ *none) (vault.Key, error) {
	return c.vaults.DeleteKey(c.ctx, c.caller, c.params[0])
}

func getDeletedKey(c *appCall, _ *none) (vault.Key, error) {
	return c.vaults.GetDeletedKey(c.ctx, c.caller, c.params[0])
}

func recoverKey(c *appCall, _ *none) (vault.Key, error) {
	return c.vaults.RecoverKey(c.ctx, c.caller, c.params[0])
}

func purgeKey(c *appCall, _ *none) (none, error) {
	return none{}, c.vaults.PurgeKey(c.ctx, c.caller, c.params[0])
}

func listKeys(c *appCall, _ *none) (vault.Page[vault.Key], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Key]{}, err
	}
	return c.vaults.ListKeys(c.ctx, c.caller, p)
}

func listKeyVersions(c *appCall, _ *none) (vault.Page[vault.Key], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Key]{}, err
	}
	return c.vaults.ListKeyVersions(c.ctx, c.caller, c.params[0], p)
}

func listDeletedKeys(c *appCall, _ *none) (vault.Page[vault.Key], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Key]{}, err
	}
	return c.vaults.ListDeletedKeys(c.ctx, c.caller, p)
}

// cryptoRequest is the body of the six key operations. Its bytes lie in the request's buffer.
type cryptoRequest struct {
	alg    string
	digest []byte
	in     vault.Cipher
}

func (q *cryptoRequest) Member(name, value []byte) error {
	switch string(name) {
	case "alg":
		return textValue("alg", value, &q.alg)
	case "value":
		return binaryValue("value", value, &q.in.Value)
	case "iv":
		return binaryValue("iv", value, &q.in.IV)
	case "aad":
		return binaryValue("aad", value, &q.in.AAD)
	case "tag":
		return binaryValue("tag", value, &q.in.Tag)
	case "digest":
		return binaryValue("digest", value, &q.digest)
	default:
		return wire.ErrUnknownMember
	}
}

// A cryptoVerb is one of the operations that take an algorithm and bytes and give bytes.
type cryptoVerb func(v *vault.Vaults, ctx context.Context, c vault.Caller, name, version,
	alg string, in vault.Cipher) (vault.CryptoResult, error)

func (verb cryptoVerb) call(c *appCall, q *cryptoRequest) (vault.CryptoResult, error) {
	return verb(c.vaults, c.ctx, c.caller, c.params[0], c.params[1], q.alg, q.in)
}

func signDigest(v *vault.Vaults, ctx context.Context, c vault.Caller, name, version, alg string,
	in vault.Cipher) (vault.CryptoResult, error) {
	return v.Sign(ctx, c, name, version, alg, in.Value)
}

func verifyDigest(c *appCall, q *cryptoRequest) (bool, error) {
	return c.vaults.Verify(c.ctx, c.caller, c.params[0], c.params[1], q.alg, q.digest, q.in.Value)
}

func writeVerdict(c *appCall, valid *bool) error {
	if *valid {
		*c.out = append(*c.out, `{"value":true}`...)
	} else {
		*c.out = append(*c.out, `{"value":false}`...)
	}
	return nil
}

// writeCrypto answers a key operation; the result is cleared when it has been copied, since it may
// be plaintext.
func writeCrypto(c *appCall, r *vault.CryptoResult) error {
	dst := append(*c.out, `{"kid":`...)
	dst = appendID(dst, c.place.authority, "keys", r.Name, r.Version)
	dst = wire.AppendBinary(append(dst, `,"value":`...), r.Value)
	for _, m := range [...]struct {
		name  string
		value []byte
	}{{`,"iv":`, r.IV}, {`,"tag":`, r.Tag}, {`,"aad":`, r.AAD}} {
		if m.value != nil {
			dst = wire.AppendBinary(append(dst, m.name...), m.value)
		}
	}
	*c.out = append(dst, '}')
	clear(r.Value)
	return nil
}

func writeKey(c *appCall, k *vault.Key) error {
	dst := c.appendJWK(append(*c.out, '{'), k)
	*c.out = append(c.appendKeyRest(dst, k), '}')
	return nil
}

// appendJWK appends the member "key".
func (c *appCall) appendJWK(dst []byte, k *vault.Key) []byte {
	dst = append(dst, `"key":{"kid":`...)
	dst = appendID(dst, c.place.authority, "keys", k.Name, k.Version)
	dst = appendPublic(dst, &k.Public)
	dst = append(dst, `,"key_ops":[`...)
	for i, op := range k.Ops {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = wire.AppendString(dst, op)
	}
	return append(dst, `]}`...)
}

// appendPublic appends the members of a JWK (RFC 7518 section 6), with their comma before them.
func appendPublic(dst []byte, p *vault.PublicKey) []byte {
	dst = wire.AppendString(append(dst, `,"kty":`...), p.Kty)
	if p.Crv != "" {
		dst = wire.AppendString(append(dst, `,"crv":`...), p.Crv)
	}
	for _, m := range [...]struct {
		name  string
		value []byte
	}{{`,"n":`, p.N}, {`,"e":`, p.E}, {`,"x":`, p.X}, {`,"y":`, p.Y}} {
		if m.value != nil {
			dst = wire.AppendBinary(append(dst, m.name...), m.value)
		}
	}
	return dst
}

func (c *appCall) appendKeyRest(dst []byte, k *vault.Key) []byte {
	extra := `,"exportable":false,"hsmPlatform":"0"`
	if k.Exportable {
		extra = `,"exportable":true,"hsmPlatform":"0"`
	}
	dst = appendAttributes(dst, &k.Attributes, extra)
	dst = appendTags(dst, k.Tags)
	dst = appendReleasePolicy(dst, k.Release)
	return appendDeletion(dst, k.Deletion, c.place.authority, "keys", k.Name)
}

func writeKeyPage(c *appCall, p *vault.Page[vault.Key]) error {
	return writePage(c, p,
		func(dst []byte, k *vault.Key) []byte { return c.appendKeyItem(dst, k, "") })
}

func writeKeyVersions(c *appCall, p *vault.Page[vault.Key]) error {
	return writePage(c, p,
		func(dst []byte, k *vault.Key) []byte { return c.appendKeyItem(dst, k, k.Version) })
}

// appendKeyItem appends a key as lists have it. version "" leaves it out of the id.
func (c *appCall) appendKeyItem(dst []byte, k *vault.Key, version string) []byte {
	dst = append(dst, `{"kid":`...)
	dst = appendID(dst, c.place.authority, "keys", k.Name, version)
	return append(c.appendKeyRest(dst, k), '}')
}
