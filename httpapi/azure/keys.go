package azure

import (
	"context"
	"strings"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

func keyRoutes() []exchange.Route {
	routes := []exchange.Route{
		{Methods: get, Shape: "keys/{name}/versions", Operation: "keys/versions",
			Serve: exchange.Serve(listKeyVersions, writeKeyVersions)},
		{Methods: get, Shape: "keys/{name}/rotationpolicy", Operation: "keys/getrotationpolicy",
			Serve: exchange.Serve(getRotationPolicy, writeRotationPolicy)},
		{Methods: put, Shape: "keys/{name}/rotationpolicy", Operation: "keys/setrotationpolicy",
			Body: exchange.SmallBody, Serve: exchange.Serve(setRotationPolicy, writeRotationPolicy)},
		{Methods: get, Shape: "keys/{name}/[version]", Operation: "keys/get",
			Serve: exchange.Serve(getKey, writeKey)},
		{Methods: get, Shape: "keys", Operation: "keys/list",
			Serve: exchange.Serve(listKeys, writeKeyPage)},
		{Methods: post, Shape: "keys/{name}/create", Operation: "keys/create", Body: exchange.MaxBody,
			Serve: exchange.Serve(createKey, writeKey)},
		{Methods: put, Shape: "keys/{name}", Operation: "keys/import", Body: exchange.MaxBody,
			Serve: exchange.Serve(importKey, writeKey)},
		{Methods: post, Shape: "keys/{name}/rotate", Operation: "keys/rotate",
			Serve: exchange.Serve(rotateKey, writeKey)},
		{Methods: post, Shape: "keys/{name}/backup", Operation: "keys/backup",
			Within: exchange.TransferTime, Serve: exchange.Serve(backupKey, writeValue)},
		{Methods: post, Shape: "keys/restore", Operation: "keys/restore", Body: exchange.RestoreBody,
			Within: exchange.TransferTime, Serve: exchange.Serve(restoreKey, writeKey)},
		{Methods: post, Shape: "keys/{name}/[version]/release", Operation: "keys/release",
			Body: exchange.SmallBody, Serve: exchange.Serve(releaseKey, writeToken)},
		{Methods: post, Shape: "rng", Operation: "rng", Body: exchange.TinyBody,
			Serve: exchange.Serve(randomBytes, writeValue)},
		{Methods: patch, Shape: "keys/{name}/[version]", Operation: "keys/update",
			Body:  exchange.MaxBody,
			Serve: exchange.Serve(updateKey, writeKey)},
		{Methods: remove, Shape: "keys/{name}", Operation: "keys/delete",
			Serve: exchange.Serve(deleteKey, writeKey)},
		{Methods: get, Shape: "deletedkeys", Operation: "keys/listdeleted",
			Serve: exchange.Serve(listDeletedKeys, writeKeyPage)},
		{Methods: get, Shape: "deletedkeys/{name}", Operation: "keys/getdeleted",
			Serve: exchange.Serve(getDeletedKey, writeKey)},
		{Methods: post, Shape: "deletedkeys/{name}/recover", Operation: "keys/recover",
			Serve: exchange.Serve(recoverKey, writeKey)},
		{Methods: remove, Shape: "deletedkeys/{name}", Operation: "keys/purge",
			Serve: exchange.Serve(purgeKey, exchange.NoContent)},
		{Methods: post, Shape: "keys/{name}/[version]/verify", Operation: "keys/verify",
			Body:  exchange.SmallBody,
			Serve: exchange.Serve(verifyDigest, writeVerdict)},
	}
	for name, verb := range map[string]cryptoVerb{
		"sign": signDigest, "encrypt": (*vault.Vaults).Encrypt, "decrypt": (*vault.Vaults).Decrypt,
		"wrapKey": (*vault.Vaults).WrapKey, "unwrapKey": (*vault.Vaults).UnwrapKey,
	} {
		routes = append(routes, exchange.Route{Methods: post,
			Shape: "keys/{name}/[version]/" + strings.ToLower(name), Operation: "keys/" + name,
			Body: exchange.SmallBody, Serve: exchange.Serve(verb.call, writeCrypto)})
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

func createKey(c *call, q *keyRequest) (vault.Key, error) {
	return c.Vaults.CreateKey(c.Ctx, c.caller, c.Params[0], q.KeySpec, q.Change)
}

func getKey(c *call, _ *exchange.None) (vault.Key, error) {
	return c.Vaults.GetKey(c.Ctx, c.caller, c.Params[0], c.Params[1])
}

func updateKey(c *call, q *keyRequest) (vault.Key, error) {
	return c.Vaults.UpdateKey(c.Ctx, c.caller, c.Params[0], c.Params[1], q.Change)
}

func deleteKey(c *call, _ *exchange.None) (vault.Key, error) {
	return c.Vaults.DeleteKey(c.Ctx, c.caller, c.Params[0])
}

func getDeletedKey(c *call, _ *exchange.None) (vault.Key, error) {
	return c.Vaults.GetDeletedKey(c.Ctx, c.caller, c.Params[0])
}

func recoverKey(c *call, _ *exchange.None) (vault.Key, error) {
	return c.Vaults.RecoverKey(c.Ctx, c.caller, c.Params[0])
}

func purgeKey(c *call, _ *exchange.None) (exchange.None, error) {
	return exchange.None{}, c.Vaults.PurgeKey(c.Ctx, c.caller, c.Params[0])
}

func listKeys(c *call, _ *exchange.None) (vault.Page[vault.Key], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Key]{}, err
	}
	return c.Vaults.ListKeys(c.Ctx, c.caller, p)
}

func listKeyVersions(c *call, _ *exchange.None) (vault.Page[vault.Key], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Key]{}, err
	}
	return c.Vaults.ListKeyVersions(c.Ctx, c.caller, c.Params[0], p)
}

func listDeletedKeys(c *call, _ *exchange.None) (vault.Page[vault.Key], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Key]{}, err
	}
	return c.Vaults.ListDeletedKeys(c.Ctx, c.caller, p)
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

func (verb cryptoVerb) call(c *call, q *cryptoRequest) (vault.CryptoResult, error) {
	return verb(c.Vaults, c.Ctx, c.caller, c.Params[0], c.Params[1], q.alg, q.in)
}

func signDigest(v *vault.Vaults, ctx context.Context, c vault.Caller, name, version, alg string,
	in vault.Cipher) (vault.CryptoResult, error) {
	return v.Sign(ctx, c, name, version, alg, in.Value)
}

func verifyDigest(c *call, q *cryptoRequest) (bool, error) {
	return c.Vaults.Verify(c.Ctx, c.caller, c.Params[0], c.Params[1], q.alg, q.digest, q.in.Value)
}

func writeVerdict(c *call, valid *bool) error {
	if *valid {
		*c.Out = append(*c.Out, `{"value":true}`...)
	} else {
		*c.Out = append(*c.Out, `{"value":false}`...)
	}
	return nil
}

// writeCrypto answers a key operation; the result is cleared when it has been copied, since it may
// be plaintext.
func writeCrypto(c *call, r *vault.CryptoResult) error {
	dst := append(*c.Out, `{"kid":`...)
	dst = appendID(dst, c.place.Authority, "keys", r.Name, r.Version)
	dst = wire.AppendBinary(append(dst, `,"value":`...), r.Value)
	for _, m := range [...]struct {
		name  string
		value []byte
	}{{`,"iv":`, r.IV}, {`,"tag":`, r.Tag}, {`,"aad":`, r.AAD}} {
		if m.value != nil {
			dst = wire.AppendBinary(append(dst, m.name...), m.value)
		}
	}
	*c.Out = append(dst, '}')
	clear(r.Value)
	return nil
}

func writeKey(c *call, k *vault.Key) error {
	dst := c.appendJWK(append(*c.Out, '{'), k)
	*c.Out = append(c.appendKeyRest(dst, k), '}')
	return nil
}

// appendJWK appends the member "key".
func (c *call) appendJWK(dst []byte, k *vault.Key) []byte {
	dst = append(dst, `"key":{"kid":`...)
	dst = appendID(dst, c.place.Authority, "keys", k.Name, k.Version)
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

func (c *call) appendKeyRest(dst []byte, k *vault.Key) []byte {
	extra := `,"exportable":false,"hsmPlatform":"0"`
	if k.Exportable {
		extra = `,"exportable":true,"hsmPlatform":"0"`
	}
	dst = appendAttributes(dst, &k.Attributes, extra)
	dst = appendTags(dst, k.Tags)
	dst = appendReleasePolicy(dst, k.Release)
	return appendDeletion(dst, k.Deletion, c.place.Authority, "keys", k.Name)
}

func writeKeyPage(c *call, p *vault.Page[vault.Key]) error {
	return writePage(c, p,
		func(dst []byte, k *vault.Key) []byte { return c.appendKeyItem(dst, k, "") })
}

func writeKeyVersions(c *call, p *vault.Page[vault.Key]) error {
	return writePage(c, p,
		func(dst []byte, k *vault.Key) []byte { return c.appendKeyItem(dst, k, k.Version) })
}

// appendKeyItem appends a key as lists have it. version "" leaves it out of the id.
func (c *call) appendKeyItem(dst []byte, k *vault.Key, version string) []byte {
	dst = append(dst, `{"kid":`...)
	dst = appendID(dst, c.place.Authority, "keys", k.Name, version)
	return append(c.appendKeyRest(dst, k), '}')
}
