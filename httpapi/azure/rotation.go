package azure

import (
	"encoding/json"
	"strings"

	"keyquorum/httpapi/exchange"
	"keyquorum/vault"
)

// rotationPolicy is Azure's KeyRotationPolicy. It holds nothing secret.
type rotationPolicy struct {
	ID              string             `json:"id"`
	LifetimeActions []lifetimeAction   `json:"lifetimeActions"`
	Attributes      rotationAttributes `json:"attributes"`

	unknown error // what it has beside these
}

func (p *rotationPolicy) RefuseLater(why error) { p.unknown = why }

type lifetimeAction struct {
	Trigger struct {
		AfterCreate  string `json:"timeAfterCreate,omitempty"`
		BeforeExpiry string `json:"timeBeforeExpiry,omitempty"`
	} `json:"trigger"`
	Action struct {
		Type string `json:"type"`
	} `json:"action"`
}

type rotationAttributes struct {
	ExpiryTime string `json:"expiryTime,omitempty"`
	Created    int64  `json:"created,omitempty"`
	Updated    int64  `json:"updated,omitempty"`
}

func rotateKey(c *call, _ *exchange.None) (vault.Key, error) {
	return c.Vaults.RotateKey(c.Ctx, c.caller, c.Params[0])
}

func getRotationPolicy(c *call, _ *exchange.None) (vault.RotationPolicy, error) {
	return c.Vaults.GetRotationPolicy(c.Ctx, c.caller, c.Params[0])
}

// actionNames are the types of actions as Azure spells them, by their lower-case spelling: clients
// send either.
var actionNames = map[string]string{"rotate": "Rotate", "notify": "Notify"}

func setRotationPolicy(c *call, q *rotationPolicy) (vault.RotationPolicy, error) {
	p := vault.RotationPolicy{ExpiryTime: q.Attributes.ExpiryTime, Wrong: q.unknown}
	for _, a := range q.LifetimeActions {
		p.Actions = append(p.Actions,
			vault.LifetimeAction{Type: actionNames[strings.ToLower(a.Action.Type)],
				AfterCreate: a.Trigger.AfterCreate, BeforeExpiry: a.Trigger.BeforeExpiry})
	}
	return c.Vaults.SetRotationPolicy(c.Ctx, c.caller, c.Params[0], p)
}

func writeRotationPolicy(c *call, p *vault.RotationPolicy) error {
	answer := rotationPolicy{
		ID:              "https://" + c.place.Authority + "/keys/" + p.Name + "/rotationpolicy",
		LifetimeActions: make([]lifetimeAction, len(p.Actions)),
		Attributes:      rotationAttributes{p.ExpiryTime, p.Created, p.Updated},
	}
	for i, a := range p.Actions {
		w := &answer.LifetimeActions[i]
		w.Action.Type, w.Trigger.AfterCreate, w.Trigger.BeforeExpiry = a.Type, a.AfterCreate,
			a.BeforeExpiry
	}
	b, err := json.Marshal(answer)
	*c.Out = append(*c.Out, b...)
	return err
}
