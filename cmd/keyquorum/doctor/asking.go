package doctor

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
)

// EndIsNear is when people should renew a certificate, or a client secret: they do it by hand.
const EndIsNear = 14 * 24 * time.Hour

const (
	callTime  = 10 * time.Second // of one call: more than a health check ever takes
	maxAnswer = 1 << 20          // bytes of a health check's
)

// A health is a node's answer to sys/health, which needs no token and comes from memory, and what
// came with it.
type health struct {
	Initialized bool   `json:"initialized"`
	Sealed      bool   `json:"sealed"`
	Standby     bool   `json:"standby"`
	Removed     bool   `json:"removed_from_cluster"`
	Time        int64  `json:"server_time_utc"`
	Version     string `json:"version"`
	Trouble     string `json:"trouble"`
	NoRoom      string `json:"refuses_writes"`

	certificate         *x509.Certificate // that the API showed
	behind, ahead, trip time.Duration     // the node's clock is between -behind and ahead of ours
}

// healthOf asks a node.
func healthOf(ctx context.Context, api *operator.Client) (h health, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, api.Base+"/v1/sys/health", nil)
	if err != nil {
		return h, err
	}
	asked := time.Now()
	answer, err := api.HTTP.Do(request)
	if err != nil {
		return h, err
	}
	defer answer.Body.Close()
	answered := time.Now()
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(&h); err != nil {
		return h, err
	}
	if answer.TLS != nil && len(answer.TLS.PeerCertificates) > 0 {
		h.certificate = answer.TLS.PeerCertificates[0]
	}
	// The node has read its clock between the two, and told whole seconds.
	h.trip = answered.Sub(asked)
	h.ahead = time.Unix(h.Time+1, 0).Sub(asked)
	h.behind = answered.Sub(time.Unix(h.Time, 0))
	return h, nil
}

// asking makes the checks of a node, and of its cluster.
func asking(ctx context.Context, k *operator.Connection, api *operator.Client) []Check {
	p := &page{of: ofNode}
	h, reached := p.reach(ctx, api)
	if reached {
		p.certificate("certificate", h)
		p.clocks("clock", h)
		p.condition(h)
		p.leader(ctx, api, h)
	}
	return append(p.checks, clusterChecks(ctx, k, api, reached && h.Initialized && !h.Sealed)...)
}

// reach asks the node in the words of every command, which have the advice.
func (p *page) reach(ctx context.Context, api *operator.Client) (h health, reached bool) {
	const check = "reachable"
	within, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	err := api.Call(within, http.MethodGet, "/v1/sys/seal-status", nil, nil)
	if err == nil {
		h, err = healthOf(ctx, api)
	}
	if err != nil {
		next := ""
		if ended := new(x509.CertificateInvalidError); errors.As(err, ended) {
			next = "renew its certificate, which the node reads again by itself"
		}
		p.add(check, Failed, next, "%v", err)
		return h, false
	}
	p.ok(check, "%s answers in %s, version %s", api.Base, rounded(h.trip), h.Version)
	return h, true
}

func (p *page) certificate(check string, h health) {
	if h.certificate == nil {
		return
	}
	end := h.certificate.NotAfter
	if time.Until(end) < EndIsNear {
		p.add(check, Warning, "renew it: the node reads the file again by itself", "it ends %s, on %s",
			console.Ago(&end, time.Now()), day(end))
		return
	}
	p.ok(check, "it is good until %s", day(end))
}

// Clocks that differ by more have members warn of each other, and tokens and retention end at
// wrong times.
const (
	clockDiffers = time.Second
	clockIsWrong = time.Minute
)

// clocks compares a node's clock with this machine's, as exactly as one answer lets it.
func (p *page) clocks(check string, h health) {
	const next = "see which of the two is wrong, and run an NTP client there"
	behind, how := -h.ahead, "behind" // at least
	if ahead := -h.behind; ahead > behind {
		behind, how = ahead, "ahead of"
	}
	switch {
	case behind > clockIsWrong:
		p.add(check, Failed, next, "it is %s %s this machine's", behind.Round(time.Second), how)
	case behind > clockDiffers:
		p.add(check, Warning, next, "it is %s %s this machine's", behind.Round(time.Second), how)
	default:
		p.ok(check, "it is this machine's, to within %s", max(h.ahead, h.behind).Round(time.Millisecond))
	}
}

// condition is whether the node serves.
func (p *page) condition(h health) {
	const initialised, serves, writes = "initialised", "serves", "takes writes"
	if !h.Initialized {
		p.add(initialised, Failed, "run keyquorum operator init on the first node of a cluster, "+
			"keyquorum operator raft join on each of the others", "it holds no cluster's data")
		return
	}
	p.ok(initialised, "it holds a cluster's data")
	switch {
	case h.Removed:
		p.add(serves, Failed, "empty its folder, and let it join again",
			"it was removed from its cluster")
	case h.Sealed:
		p.add(serves, Failed, "give it its unseal shares (keyquorum operator unseal)", "it is sealed")
	case h.Trouble != "":
		p.add(serves, Failed, "", "it refuses requests: %s", h.Trouble)
	default:
		p.ok(serves, "it is unsealed")
	}
	if h.NoRoom != "" {
		p.add(writes, Failed, "make room on the disk; writes go on by themselves", "it takes none: %s",
			h.NoRoom)
	}
}

// leader asks who leads. A sealed node does not say.
func (p *page) leader(ctx context.Context, api *operator.Client, h health) {
	const check = "leader"
	if !h.Initialized || h.Sealed {
		p.skip(check, "", "a node says who leads when it is unsealed")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	fields, err := operator.LeaderFields(ctx, api)
	address, _ := fields["leader_address"].(string)
	self, _ := fields["is_self"].(bool)
	switch {
	case err != nil:
		p.add(check, Failed, "", "%v", err)
	case self:
		p.ok(check, "it leads")
	case address == "":
		p.add(check, Failed, "start nodes until a majority of the voters runs", "it knows of none")
	default:
		p.ok(check, "%s leads", address)
	}
}
