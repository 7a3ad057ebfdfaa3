package httpapi

import (
	"context"
	"strings"

	"keyquorum/vault"
)

func keyRoutes() []route {
	routes := []route{
		{methods: get, shape: "keys/{name}/versions", operation: "keys/versions", serve: serve(listKeyVersions, writeKeyVersions)},
		{methods: get, shape: "keys/{name}/[version]", operation: "keys/get", serve: serve(getKey, writeKey)},
		{methods: get, shape: "keys", operation: "keys/list", serve: serve(listKeys, writeKeyPage)},
		{methods: post, shape: "keys/{name}/create", operation: "keys/create", body: maxBody, serve: serve(createKey, writeKey)},
		{methods: patch, shape: "keys/{name}/[version]", operation: "keys/update", body: maxBody, serve: serve(updateKey, writeKey)},
		{methods: remove, shape: "keys/{name}", operation: "keys/delete", serve: serve(deleteKey, writeKey)},
		{methods: get, shape: "deletedkeys", operation: "keys/listdeleted", serve: serve(listDeletedKeys, writeKeyPage)},
		{methods: get, shape: "deletedkeys/{name}", operation: "keys/getdeleted", serve: serve(getDeletedKey, writeKey)},
		{methods: post, shape: "deletedkeys/{name}/recover", operation: "keys/recover", serve: serve(recoverKey, writeKey)},
		{methods: remove, shape: "deletedkeys/{name}", operation: "keys/purge", serve: serve(purgeKey, noContent)},
		{methods: post, shape: "keys/{name}/[version]/verify", operation: "keys/verify", body: smallBody, serve: serve(verifyDigest, writeVerdict)},
	}
	for name, verb := range map[string]cryptoVerb{
		"sign": (*vault.Vaults).Sign, "encrypt": (*vault.Vaults).Encrypt, "decrypt": (*vault.Vaults).Decrypt,
		"wrapKey": (*vault.Vaults).WrapKey, "unwrapKey": (*vault.Vaults).UnwrapKey,
	} {
		routes = append(routes, route{methods: post, shape: "keys/{name}/[version]/" + strings.ToLower(name), operation: "keys/" + name,
			body: smallBody, serve: serve(verb.call, writeCrypto)})
	}
	return routes
}

// keyRequest is the body of create and update.
type keyRequest struct {
	vault.KeySpec
	vault.Change
}

func (q *keyRequest) member(name, value []byte) error {
	switch string(name) {
	case "kty":
		return textValue("kty", value, &q.Kty)
	case "crv":
		return textValue("crv", value, &q.Crv)
	case "key_size":
		return smallInt("key_size", value, &q.Size)
	case "public_exponent":
		return smallInt("public_exponent", value, &q.PublicExponent)
	case "key_ops":
		return textList("key_ops", value, &q.KeyOps)
	default:
		return changeMember(&q.Change, name, value)
	}
}

// smallInt sets an int that fits 32 bits; null leaves it.
func smallInt(name string, value []byte, into *int) error {
	var n *int64
	if err := intValue(name, value, &n); err != nil || n == nil {
		return err
	}
	if int64(int32(*n)) != *n {
		return invalidProperty(name)
	}
	*into = int(*n)
	return nil
}

func createKey(c *call, q *keyRequest) (vault.Key, error) {
	return c.vaults.CreateKey(c.ctx, c.caller, c.params[0], q.KeySpec, q.Change)
}

func getKey(c *call, _ *none) (vault.Key, error) {
	return c.vaults.GetKey(c.ctx, c.caller, c.params[0], c.params[1])
}

func updateKey(c *call, q *keyRequest) (vault.Key, error) {
	return c.vaults.UpdateKey(c.ctx, c.caller, c.params[0], c.params[1], q.Change)
}

func deleteKey(c *call, _ *none) (vault.Key, error) {
	return c.vaults.DeleteKey(c.ctx, c.caller, c.params[0])
}

func getDeletedKey(c *call, _ *none) (vault.Key, error) {
	return c.vaults.GetDeletedKey(c.ctx, c.caller, c.params[0])
}

func recoverKey(c *call, _ *none) (vault.Key, error) {
	return c.vaults.RecoverKey(c.ctx, c.caller, c.params[0])
}

func purgeKey(c *call, _ *none) (none, error) {
	return none{}, c.vaults.PurgeKey(c.ctx, c.caller, c.params[0])
}

func listKeys(c *call, _ *none) (vault.Page[vault.Key], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Key]{}, err
	}
	return c.vaults.ListKeys(c.ctx, c.caller, p)
}

func listKeyVersions(c *call, _ *none) (vault.Page[vault.Key], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Key]{}, err
	}
	return c.vaults.ListKeyVersions(c.ctx, c.caller, c.params[0], p)
}

func listDeletedKeys(c *call, _ *none) (vault.Page[vault.Key], error) {
	p, err := c.page()
	if err != nil {
		return vault.Page[vault.Key]{}, err
	}
	return c.vaults.ListDeletedKeys(c.ctx, c.caller, p)
}

// cryptoRequest is the body of the six key operations. Its bytes lie in the request's buffer.
type cryptoRequest struct {
	alg           string
	value, digest []byte
}

func (q *cryptoRequest) member(name, value []byte) error {
	switch string(name) {
	case "alg":
		return textValue("alg", value, &q.alg)
	case "value":
		return binaryValue("value", value, &q.value)
	case "digest":
		return binaryValue("digest", value, &q.digest)
	default:
		return nil
	}
}

// A cryptoVerb is one of the operations that take an algorithm and bytes and give bytes.
type cryptoVerb func(v *vault.Vaults, ctx context.Context, c vault.Caller, name, version, alg string, value []byte) (vault.CryptoResult, error)

func (verb cryptoVerb) call(c *call, q *cryptoRequest) (vault.CryptoResult, error) {
	return verb(c.vaults, c.ctx, c.caller, c.params[0], c.params[1], q.alg, q.value)
}

func verifyDigest(c *call, q *cryptoRequest) (bool, error) {
	return c.vaults.Verify(c.ctx, c.caller, c.params[0], c.params[1], q.alg, q.digest, q.value)
}

func writeVerdict(c *call, valid *bool) error {
	if *valid {
		*c.out = append(*c.out, `{"value":true}`...)
	} else {
		*c.out = append(*c.out, `{"value":false}`...)
	}
	return nil
}

// writeCrypto answers a key operation; the result is cleared when it has been copied, since it may be plaintext.
func writeCrypto(c *call, r *vault.CryptoResult) error {
	dst := append(*c.out, `{"kid":`...)
	dst = appendID(dst, c.place.authority, "keys", r.Name, r.Version)
	dst = appendBinary(append(dst, `,"value":`...), r.Value)
	*c.out = append(dst, '}')
	clear(r.Value)
	return nil
}

func writeKey(c *call, k *vault.Key) error {
	dst := append(*c.out, `{"key":{"kid":`...)
	dst = appendID(dst, c.place.authority, "keys", k.Name, k.Version)
	dst = appendPublic(dst, &k.Public)
	dst = append(dst, `,"key_ops":[`...)
	for i, op := range k.Ops {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, op)
	}
	*c.out = append(c.appendKeyRest(append(dst, `]}`...), k), '}')
	return nil
}

// appendPublic appends the members of a JWK (RFC 7518 section 6), with their comma before them.
func appendPublic(dst []byte, p *vault.PublicKey) []byte {
	dst = appendString(append(dst, `,"kty":`...), p.Kty)
	if p.Crv != "" {
		dst = appendString(append(dst, `,"crv":`...), p.Crv)
	}
	for _, m := range [...]struct {
		name  string
		value []byte
	}{{`,"n":`, p.N}, {`,"e":`, p.E}, {`,"x":`, p.X}, {`,"y":`, p.Y}} {
		if m.value != nil {
			dst = appendBinary(append(dst, m.name...), m.value)
		}
	}
	return dst
}

func (c *call) appendKeyRest(dst []byte, k *vault.Key) []byte {
	dst = appendAttributes(dst, &k.Attributes, `,"exportable":false`)
	dst = appendTags(dst, k.Tags)
	return appendDeletion(dst, k.Deletion, c.place.authority, "keys", k.Name)
}

func writeKeyPage(c *call, p *vault.Page[vault.Key]) error {
	return writePage(c, p, func(dst []byte, k *vault.Key) []byte { return c.appendKeyItem(dst, k, "") })
}

func writeKeyVersions(c *call, p *vault.Page[vault.Key]) error {
	return writePage(c, p, func(dst []byte, k *vault.Key) []byte { return c.appendKeyItem(dst, k, k.Version) })
}

// appendKeyItem appends a key as lists have it. version "" leaves it out of the id.
func (c *call) appendKeyItem(dst []byte, k *vault.Key, version string) []byte {
	dst = append(dst, `{"kid":`...)
	dst = appendID(dst, c.place.authority, "keys", k.Name, version)
	return append(c.appendKeyRest(dst, k), '}')
}
