package azure

import (
	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

// releaseRequest is the body of a release.
type releaseRequest struct{ target, nonce, enc string }

func (q *releaseRequest) Member(name, value []byte) error {
	switch string(name) {
	case "target":
		return textValue("target", value, &q.target)
	case "nonce":
		return textValue("nonce", value, &q.nonce)
	case "enc":
		return textValue("enc", value, &q.enc)
	default:
		return wire.ErrUnknownMember
	}
}

func releaseKey(c *call, q *releaseRequest) (string, error) {
	return c.Vaults.ReleaseKey(c.Ctx, c.caller, c.Params[0], c.Params[1], vault.ReleaseRequest{
		Target: q.target, Enc: q.enc,
		Payload: func(k vault.Key, wrapped []byte) []byte { return c.releasePayload(q, &k, wrapped) },
	})
}

// releasePayload is what a released key's JWS says.
func (c *call) releasePayload(q *releaseRequest, k *vault.Key, wrapped []byte) []byte {
	dst := wire.AppendString([]byte(`{"request":{"api-version":`), c.version)
	dst = wire.AppendString(append(dst, `,"enc":`...), q.enc)
	dst = appendID(append(dst, `,"kid":`...), c.place.Authority, "keys", k.Name, k.Version)
	dst = wire.AppendString(append(dst, `,"nonce":`...), q.nonce)
	dst = append(dst, `},"response":{"key":{`...)
	dst = c.appendJWK(dst, k)
	dst = wire.AppendBinary(append(dst[:len(dst)-1], `,"key_hsm":`...), wrapped)
	return append(c.appendKeyRest(append(dst, '}'), k), `}}}`...)
}

// writeToken answers with a compact JWS.
func writeToken(c *call, token *string) error {
	*c.Out = append(wire.AppendString(append(*c.Out, `{"value":`...), *token), '}')
	return nil
}

// appendReleasePolicy appends the member "release_policy", if there is one.
func appendReleasePolicy(dst []byte, p *vault.ReleasePolicy) []byte {
	if p == nil {
		return dst
	}
	dst = wire.AppendString(append(dst, `,"release_policy":{"contentType":`...), p.ContentType)
	dst = wire.AppendBinary(append(dst, `,"data":`...), p.Data)
	if p.Immutable {
		return append(dst, `,"immutable":true}`...)
	}
	return append(dst, `,"immutable":false}`...)
}
