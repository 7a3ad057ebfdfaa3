package objects

import (
	"context"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
)

// policyFlags are a rotation policy, in lengths of time of ISO 8601.
type policyFlags struct{ afterCreate, beforeExpiry, expiry, notify string }

func bindPolicy(f *pflag.FlagSet, in *input) {
	f.StringVar(&in.policy.afterCreate, "rotate-after", "", "rotate a version so long after it was made")
	f.StringVar(&in.policy.beforeExpiry, "rotate-before", "", "or so long before it ends")
	f.StringVar(&in.policy.expiry, "expires-in", "", "how long a new version lives")
	f.StringVar(&in.policy.notify, "notify-before", "", "tell so long before it ends (Azure)")
}

// policy is what is printed of a rotation policy.
type policy struct {
	Name         string     `json:"name"`
	ExpiresIn    string     `json:"expires_in,omitempty"`
	RotateAfter  string     `json:"rotate_after,omitempty"`
	RotateBefore string     `json:"rotate_before,omitempty"`
	NotifyBefore string     `json:"notify_before,omitempty"`
	Updated      *time.Time `json:"updated,omitempty"`
}

// rotationPolicy shows the policy, or replaces it where a flag says what it is to be.
func rotationPolicy(c *call) (a console.Answer, err error) {
	if err := c.newest(); err != nil {
		return a, err
	}
	read := func(ctx context.Context) (azkeys.KeyRotationPolicy, error) {
		r, err := c.keys().GetKeyRotationPolicy(ctx, c.ref.Name, nil)
		return r.KeyRotationPolicy, err
	}
	if c.in.policy != (policyFlags{}) {
		read = func(ctx context.Context) (azkeys.KeyRotationPolicy, error) {
			r, err := c.keys().UpdateKeyRotationPolicy(ctx, c.ref.Name, c.in.policy.wanted(), nil)
			return r.KeyRotationPolicy, err
		}
	}
	r, err := ask(c, read)
	if err != nil {
		return a, err
	}
	p := shownPolicy(c.ref.Name, r)
	return console.Answer{
		Data: p, Lines: []string{p.Name}, Fields: fieldsOf(p),
		Table: console.Pairs("Name", p.Name, "Rotated after", p.RotateAfter, "Rotated before its end", p.RotateBefore,
			"Lives", p.ExpiresIn, "Told before its end", p.NotifyBefore, "Updated", moment(p.Updated, time.Now())),
	}, nil
}

func (p policyFlags) wanted() azkeys.KeyRotationPolicy {
	var wanted azkeys.KeyRotationPolicy
	if p.expiry != "" {
		wanted.Attributes = &azkeys.KeyRotationPolicyAttributes{ExpiryTime: &p.expiry}
	}
	add := func(action azkeys.KeyRotationPolicyAction, trigger azkeys.LifetimeActionTrigger) {
		wanted.LifetimeActions = append(wanted.LifetimeActions, &azkeys.LifetimeAction{
			Action: &azkeys.LifetimeActionType{Type: &action}, Trigger: &trigger,
		})
	}
	if p.afterCreate != "" {
		add(azkeys.KeyRotationPolicyActionRotate, azkeys.LifetimeActionTrigger{TimeAfterCreate: &p.afterCreate})
	}
	if p.beforeExpiry != "" {
		add(azkeys.KeyRotationPolicyActionRotate, azkeys.LifetimeActionTrigger{TimeBeforeExpiry: &p.beforeExpiry})
	}
	if p.notify != "" {
		add(azkeys.KeyRotationPolicyActionNotify, azkeys.LifetimeActionTrigger{TimeBeforeExpiry: &p.notify})
	}
	return wanted
}

func shownPolicy(name string, r azkeys.KeyRotationPolicy) policy {
	p := policy{Name: name}
	if r.Attributes != nil {
		p.ExpiresIn, p.Updated = value(r.Attributes.ExpiryTime), inUTC(r.Attributes.Updated)
	}
	for _, l := range r.LifetimeActions {
		if l == nil || l.Action == nil || l.Trigger == nil {
			continue
		}
		switch value(l.Action.Type) {
		case azkeys.KeyRotationPolicyActionRotate:
			p.RotateAfter, p.RotateBefore = value(l.Trigger.TimeAfterCreate), value(l.Trigger.TimeBeforeExpiry)
		case azkeys.KeyRotationPolicyActionNotify:
			p.NotifyBefore = value(l.Trigger.TimeBeforeExpiry)
		}
	}
	return p
}
