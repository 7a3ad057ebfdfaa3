package operators

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// rekeyRoutes change the unseal shares, under the names of two generations of clients. The node
// that is asked does it, and no other knows of it.
func rekeyRoutes() []exchange.Route {
	return slices.Concat(rekeyRoutesAt("sys/rekey/"), rekeyRoutesAt("sys/rotate/root/"))
}

func rekeyRoutesAt(at string) []exchange.Route {
	return []exchange.Route{
		{Methods: get, Shape: at + "init", Operation: "sys/rekey/status",
			Serve: recorded(rekeyStatus, nothing, writeData)},
		{Methods: write, Shape: at + "init", Operation: "sys/rekey/init", Body: exchange.OpenBody,
			Serve: recorded(beginRekey, nothing, writeData)},
		{Methods: remove, Shape: at + "init", Operation: "sys/rekey/cancel", Body: exchange.TinyBody,
			Serve: recorded(cancelRekey, nothing, exchange.NoContent)},
		{Methods: write, Shape: at + "update", Operation: "sys/rekey/update", Body: exchange.TinyBody,
			Shares: true,
			Serve:  shownOnce(giveRekeyShare, (*rekeyed).shows, writeRekeyed)},
		{Methods: get, Shape: at + "verify", Operation: "sys/rekey/verify-status",
			Serve: recorded(rekeyVerification, nothing, writeData)},
		{Methods: write, Shape: at + "verify", Operation: "sys/rekey/verify", Body: exchange.TinyBody,
			Shares: true,
			Serve:  recorded(giveNewShare, nothing, writeData)},
		{Methods: remove, Shape: at + "verify", Operation: "sys/rekey/verify-restart",
			Serve: recorded(restartVerification, nothing, writeData)},
	}
}

type rekeyRequest struct {
	Shares       int      `json:"secret_shares"`
	Threshold    int      `json:"secret_threshold"`
	StoredShares int      `json:"stored_shares"` // Vault's client sends it; it is nothing here
	PGPKeys      []string `json:"pgp_keys"`
	Backup       bool     `json:"backup"`
	Verify       bool     `json:"require_verification"`
	Nonce        string   `json:"nonce"` // likewise
}

// check refuses what can't be done.
func (q *rekeyRequest) check() error {
	text := checkSplit(q.Shares, q.Threshold)
	switch {
	case q.Backup && len(q.PGPKeys) == 0:
		text = "cannot request a backup of the new keys without providing PGP keys for encryption"
	case q.Backup:
		text = "backup is not supported: keep the answer that shows the new keys"
	case text == "":
		return nil
	}
	return wire.Refuse(http.StatusBadRequest, "", text)
}

// rekeyData is where a rekey stands, and what came of a share.
type rekeyData struct {
	Nonce             string    `json:"nonce"`
	Started           bool      `json:"started"`
	Threshold         int       `json:"t"` // that is to be
	Shares            int       `json:"n"`
	Progress          int       `json:"progress"`
	Required          int       `json:"required"`
	Fingerprints      *[]string `json:"pgp_fingerprints"`
	Backup            bool      `json:"backup"`
	Verify            bool      `json:"verification_required"`
	VerificationNonce string    `json:"verification_nonce,omitempty"`
	Complete          bool      `json:"complete"`
	Dropped           []string  `json:"wrappers_dropped,omitempty"`      // that don't open the new root key
	Returned          int       `json:"verification_progress,omitempty"` // new shares given back

	// Once, in the answer to the share that completed it; writeRekeyed writes them.
	Keys       []string `json:"keys,omitempty"`
	KeysBase64 []string `json:"keys_base64,omitempty"`
}

func rekeyDataOf(s node.RekeyStatus) rekeyData {
	d := rekeyData{Nonce: s.Nonce, Started: s.Started, Threshold: s.Threshold, Shares: s.Shares,
		Progress: s.Progress, Required: s.Required, Verify: s.Verify, Dropped: s.Dropped}
	if s.Verification != nil {
		d.VerificationNonce, d.Returned = s.Verification.Nonce, s.Verification.Progress
	}
	if s.Fingerprints != nil {
		d.Fingerprints = &s.Fingerprints
	}
	return d
}

func rekeyStatus(c *call, _ *exchange.None) (rekeyData, error) {
	s, err := c.plane.n.RekeyStatus()
	return rekeyDataOf(s), nodeFailure(err)
}

func beginRekey(c *call, q *rekeyRequest) (rekeyData, error) {
	if err := q.check(); err != nil {
		return rekeyData{}, err
	}
	to, err := recipients(q.PGPKeys, q.Shares)
	if err != nil {
		return rekeyData{}, err
	}
	c.detail = fmt.Sprintf("shares=%d threshold=%d verification=%t", q.Shares, q.Threshold, q.Verify)
	s, err := c.plane.n.BeginRekey(q.Shares, q.Threshold, q.Verify, to...)
	if len(s.Fingerprints) > 0 {
		c.detail += " for=" + strings.Join(s.Fingerprints, ",")
	}
	return rekeyDataOf(s), nodeFailure(err)
}

type cancelRequest struct {
	Nonce string `json:"nonce"` // given, it must be that of what is cancelled
}

func cancelRekey(c *call, q *cancelRequest) (exchange.None, error) {
	return exchange.None{}, nodeFailure(c.plane.n.CancelRekey(q.Nonce))
}

// rekeyed is an answer that may show shares.
type rekeyed struct {
	data rekeyData
	node.Rekeyed
}

func (r *rekeyed) shows() bool { return r.Shares != nil }

func giveRekeyShare(c *call, q *shareRequest) (rekeyed, error) {
	share, err := q.share()
	if err != nil {
		return rekeyed{}, err
	}
	defer clear(share)
	r, err := c.plane.n.GiveRekeyShare(c.Ctx, q.Nonce, share, c.begins("new shares are made"))
	if err != nil {
		return rekeyed{}, nodeFailure(err)
	}
	d := rekeyDataOf(r.Status)
	switch {
	case r.Shares == nil:
		c.detail = fmt.Sprintf("share %d of %d", d.Progress, d.Required)
	case r.Status.Verification != nil:
		d.Complete, c.detail = true, "new shares were shown, and are in force when they are verified"
	default:
		d.Complete, c.detail = true, "new shares are in force"
	}
	return rekeyed{d, r}, nil
}

// writeRekeyed copies new shares into the answer, the only place they are ever shown, and clears
// them.
func writeRekeyed(c *call, r *rekeyed) error {
	data, err := json.Marshal(&r.data)
	if err != nil || r.Shares == nil {
		return writeData(c, &r.data)
	}
	data = append(slices.Grow(data, 128*len(r.Shares)+64)[:len(data)-1], ',')
	data = append(appendShares(data, r.Shares), '}')
	*c.Out = appendEnvelope(*c.Out, c.Req.ID, data)
	clear(data)
	return nil
}

// rekeyVerificationData is how many of the new shares were given back.
type rekeyVerificationData struct {
	Nonce     string `json:"nonce"`
	Started   bool   `json:"started"`
	Threshold int    `json:"t"`
	Shares    int    `json:"n"`
	Progress  int    `json:"progress"`
	Complete  bool   `json:"complete"`

	Dropped []string `json:"wrappers_dropped,omitempty"` // that don't open the new root key
}

func rekeyVerificationOf(s node.VerificationStatus, started bool) rekeyVerificationData {
	return rekeyVerificationData{Nonce: s.Nonce, Started: started, Threshold: s.Threshold,
		Shares: s.Shares, Progress: s.Progress, Dropped: s.Dropped}
}

func rekeyVerification(c *call, _ *exchange.None) (rekeyVerificationData, error) {
	s, started, err := c.plane.n.RekeyVerification()
	return rekeyVerificationOf(s, started), nodeFailure(err)
}

func giveNewShare(c *call, q *shareRequest) (rekeyVerificationData, error) {
	share, err := q.share()
	if err != nil {
		return rekeyVerificationData{}, err
	}
	defer clear(share)
	s, complete, err := c.plane.n.GiveNewShare(c.Ctx, q.Nonce, share)
	if err != nil {
		return rekeyVerificationData{}, nodeFailure(err)
	}
	d := rekeyVerificationOf(s, !complete)
	d.Complete = complete
	c.detail = fmt.Sprintf("new share %d of %d", d.Progress, d.Threshold)
	if complete {
		c.detail = "new shares are in force"
	}
	return d, nil
}

func restartVerification(c *call, _ *exchange.None) (rekeyVerificationData, error) {
	s, err := c.plane.n.RestartRekeyVerification()
	return rekeyVerificationOf(s, err == nil), nodeFailure(err)
}
