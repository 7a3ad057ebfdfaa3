package operators

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// generateRootRoutes make a root token of enough shares, and want a token too. Who has lost all of
// them has the break-glass socket (glass.go).
func generateRootRoutes() []exchange.Route {
	return slices.Concat(rootGenerationRoutes(),
		[]exchange.Route{{Methods: write, Shape: "sys/decode-token", Operation: "sys/decode-token",
			Body: exchange.TinyBody, Open: true, Shares: true,
			Serve: recorded(decodeToken, nothing, writeData)}})
}

// rootGenerationRoutes are under the names of two generations of clients.
func rootGenerationRoutes() []exchange.Route {
	return slices.Concat(generateRootRoutesAt("sys/generate-root/"),
		generateRootRoutesAt("sys/generate-root-token/"))
}

func generateRootRoutesAt(at string) []exchange.Route {
	return []exchange.Route{
		{Methods: get, Shape: at + "attempt", Operation: "sys/generate-root/status",
			Serve: recorded(generateRootStatus, nothing, writeData)},
		{Methods: write, Shape: at + "attempt", Operation: "sys/generate-root/init",
			Body:   exchange.OpenBody,
			Shares: true,
			Serve:  recorded(beginGenerateRoot, nothing, writeData)},
		{Methods: remove, Shape: at + "attempt", Operation: "sys/generate-root/cancel",
			Serve: recorded(cancelGenerateRoot, nothing, exchange.NoContent)},
		{Methods: write, Shape: at + "update", Operation: "sys/generate-root/update",
			Body:   exchange.TinyBody,
			Shares: true,
			Serve:  shownOnce(giveGenerateRootShare, (*generateRootData).shows, writeData)},
	}
}

type generateRootRequest struct {
	OTP    wire.SecretText `json:"otp"`
	PGPKey string          `json:"pgp_key"`
}

// generateRootData is where a root generation stands. Older clients look for the token under its
// older name.
type generateRootData struct {
	Nonce       string `json:"nonce"`
	Started     bool   `json:"started"`
	Progress    int    `json:"progress"`
	Required    int    `json:"required"`
	Complete    bool   `json:"complete"`
	Encoded     string `json:"encoded_token"`
	EncodedRoot string `json:"encoded_root_token"`
	Fingerprint string `json:"pgp_fingerprint"`
	OTP         string `json:"otp"` // once, where the server has made it
	OTPLength   int    `json:"otp_length"`
}

func (d *generateRootData) shows() bool { return d.Complete }

func generateRootDataOf(s node.RootGenerationStatus) generateRootData {
	return generateRootData{Nonce: s.Nonce, Started: s.Started, Progress: s.Progress,
		Required: s.Required, Fingerprint: s.Fingerprint, OTPLength: node.OTPLength}
}

func generateRootStatus(c *call, _ *exchange.None) (generateRootData, error) {
	s, err := c.plane.n.RootGenerationStatus()
	return generateRootDataOf(s), nodeFailure(err)
}

func beginGenerateRoot(c *call, q *generateRootRequest) (generateRootData, error) {
	defer clear(q.OTP)
	switch {
	case len(q.OTP) > 0 && q.PGPKey != "":
		return generateRootData{}, wire.Refuse(http.StatusBadRequest, "",
			"otp and pgp_key can't be given together: the token is masked with one of them")
	case q.PGPKey != "":
		to, err := recipient("pgp_key", q.PGPKey)
		if err != nil {
			return generateRootData{}, err
		}
		c.detail = "for=" + to.Fingerprint()
		s, err := c.plane.n.BeginRootGenerationFor(to)
		return generateRootDataOf(s), nodeFailure(err)
	}
	s, otp, err := c.plane.n.BeginRootGeneration(q.OTP)
	if err != nil {
		return generateRootData{}, nodeFailure(err)
	}
	d := generateRootDataOf(s)
	if len(q.OTP) == 0 {
		d.OTP = string(otp)
		clear(otp)
	}
	return d, nil
}

func cancelGenerateRoot(c *call, _ *exchange.None) (exchange.None, error) {
	return exchange.None{}, nodeFailure(c.plane.n.CancelRootGeneration())
}

func giveGenerateRootShare(c *call, q *shareRequest) (generateRootData, error) {
	share, err := q.share()
	if err != nil {
		return generateRootData{}, err
	}
	defer clear(share)
	var g node.GeneratedRoot
	err = c.given(func() (err error) {
		g, err = c.plane.n.GiveRootGenerationShare(c.Ctx, c.operator, q.Nonce, share,
			c.begins("a root token is made"))
		return err
	})
	if err != nil {
		return generateRootData{}, nodeFailure(err)
	}
	d := generateRootDataOf(g.Status)
	c.detail = fmt.Sprintf("share %d of %d", d.Progress, d.Required)
	if g.Encoded != nil {
		d.Complete, d.Encoded, d.EncodedRoot = true, string(g.Encoded), string(g.Encoded)
		c.detail = "made the root token of accessor " + g.Accessor
	}
	return d, nil
}

type decodeTokenRequest struct {
	Encoded wire.SecretText `json:"encoded_token"`
	OTP     wire.SecretText `json:"otp"`
}

type decodedTokenData struct {
	Token string `json:"token"`
}

// decodeToken takes the one-time password off a token. It looks nothing up, so it needs no token.
func decodeToken(_ *call, q *decodeTokenRequest) (decodedTokenData, error) {
	defer clear(q.Encoded)
	defer clear(q.OTP)
	encoded := bytes.TrimRight(q.Encoded, "=")
	token, err := base64.RawStdEncoding.AppendDecode(nil, encoded)
	switch {
	case err != nil || len(token) == 0:
		return decodedTokenData{}, wire.Refuse(http.StatusBadRequest, "",
			"'encoded_token' must be a base64 string")
	case len(token) != len(q.OTP):
		return decodedTokenData{}, wire.Refuse(http.StatusBadRequest, "",
			"'otp' has another length than the token")
	}
	defer clear(token)
	subtle.XORBytes(token, token, q.OTP)
	return decodedTokenData{string(token)}, nil
}
