package operators

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/internal/pgp"
	"keyquorum/node"
)

// What the ceremonies have in common in which people give shares to an unsealed node (rekey.go,
// generateroot.go).

type shareRequest struct {
	Key   wire.SecretText `json:"key"` // hex, or standard base64
	Nonce string          `json:"nonce"`
}

// share decodes the share, which the caller clears.
func (q *shareRequest) share() ([]byte, error) {
	defer clear(q.Key)
	switch {
	case len(q.Key) == 0:
		return nil, wire.Refuse(http.StatusBadRequest, "",
			"'key' must be specified in request body as JSON")
	case q.Nonce == "":
		return nil, wire.Refuse(http.StatusBadRequest, "",
			"'nonce' must be specified in request body as JSON")
	}
	return decodeShare(q.Key)
}

// begins writes the usage record that comes before something is made that can be shown once only.
func (c *call) begins(detail string) func() error {
	return func() error {
		if c.Vaults.RecordBeginning(c.operator, c.Route.Operation, detail) != nil {
			return wire.Unrecorded(" Nothing was done.")
		}
		return nil
	}
}

// shownOnce is recorded, but that the record before it counts where the answer shows what is shown
// in no other: that must be answered.
func shownOnce[Req, Resp any](act func(c *call, req *Req) (Resp, error), shows func(*Resp) bool,
	write func(c *call, resp *Resp) error) exchange.Endpoint {
	return exchange.Serve(func(c *call, req *Req) (Resp, error) {
		resp, err := act(c, req)
		err = recordedHere(err)
		switch rerr := c.record("", domainError(err)); {
		case rerr == nil:
		case err == nil && shows(&resp):
			c.plane.Log.Error("done, and the usage record of it could not be written", "operation",
				c.Route.Operation, "error", rerr)
		case err != nil &&
			wire.FailureOf(err).Inner == wire.UnrecordedCode: // it says that nothing was done
		default:
			return resp, wire.Unrecorded(c.mayHaveHappened())
		}
		return resp, err
	}, write)
}

// appendShares writes shares as the members keys (hex) and keys_base64 of an object, and clears
// them: nothing shows them again.
func appendShares[Share ~[]byte](data []byte, shares []Share) []byte {
	data = append(data, `"keys":[`...)
	for i, s := range shares {
		if i > 0 {
			data = append(data, ',')
		}
		data = append(hex.AppendEncode(append(data, '"'), s), '"')
	}
	data = append(data, `],"keys_base64":[`...)
	for i, s := range shares {
		if i > 0 {
			data = append(data, ',')
		}
		data = append(base64.StdEncoding.AppendEncode(append(data, '"'), s), '"')
		clear(s)
	}
	return append(data, ']')
}

// recipients reads the keys of people for whom each of so many shares is to be encrypted; none may
// be.
func recipients(keys []string, shares int) ([]node.Recipient, error) {
	if len(keys) != 0 && len(keys) != shares {
		return nil, wire.Refuse(http.StatusBadRequest, "",
			"incorrect number of PGP keys: there must be as "+
				"many as shares, one for each")
	}
	var to []node.Recipient
	for i, key := range keys {
		r, err := recipient("pgp_keys["+strconv.Itoa(i)+"]", key)
		if err != nil {
			return nil, err
		}
		to = append(to, r)
	}
	return to, nil
}

func recipient(member, key string) (node.Recipient, error) {
	r, err := pgp.Parse(key, time.Now)
	if err != nil {
		return nil, wire.Refuse(http.StatusBadRequest, "", "error parsing "+member+": "+err.Error())
	}
	return r, nil
}

// checkSplit says in the words of an init or a rekey what is wrong with a number of shares.
func checkSplit(shares, threshold int) (text string) {
	switch {
	case shares < 1 || shares > 255:
		return "secret_shares must be between 1 and 255"
	case threshold < 1 || threshold > shares:
		return "secret_threshold must be between 1 and secret_shares"
	case shares > 1 && threshold < 2:
		return "secret_threshold must be at least 2 when there is more than one share"
	}
	return ""
}
