package azure

import (
	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

// importRequest is the body of an import. The key lies in the request's own buffer, which is
// cleared after it.
type importRequest struct {
	key vault.JWK
	vault.Change
}

func (q *importRequest) Member(name, value []byte) error {
	switch string(name) {
	case "key":
		if !wire.IsNull(value) && value[0] != '{' {
			return wire.InvalidProperty("key")
		}
		return wire.EachKnown(value, q.keyMember)
	case "Hsm", "hsm":
		var hsm *bool
		if err := boolValue("Hsm", value, &hsm); err != nil || hsm == nil {
			return err
		}
		q.key.HardwareBacked = *hsm
		return nil
	default:
		return keyChangeMember(&q.Change, name, value)
	}
}

func (q *importRequest) keyMember(name, value []byte) error {
	k := &q.key
	switch string(name) {
	case "kty":
		return textValue("key.kty", value, &k.Kty)
	case "crv":
		return textValue("key.crv", value, &k.Crv)
	case "key_ops":
		return textList("key.key_ops", value, &k.Ops)
	}
	for _, m := range [...]struct {
		name string
		into *[]byte
	}{{"n", &k.N}, {"e", &k.E}, {"d", &k.D}, {"p", &k.P}, {"q", &k.Q}, {"dp", &k.DP}, {"dq", &k.DQ},
		{"qi", &k.QI},
		{"x", &k.X}, {"y", &k.Y}, {"k", &k.K}, {"key_hsm", &k.HSM}} {
		if m.name == string(name) {
			return binaryValue("key."+m.name, value, m.into)
		}
	}
	return wire.ErrUnknownMember
}

func importKey(c *call, q *importRequest) (vault.Key, error) {
	return c.Vaults.ImportKey(c.Ctx, c.caller, c.Params[0], &q.key, q.Change)
}
