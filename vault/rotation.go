package vault

import (
	"context"
	"slices"
	"time"

	"keyquorum/vault/access"
)

// A RotationPolicy says when a key gets a new version by itself, and how long versions live.
// Durations are ISO 8601 dates: P90D, P18M, P1Y6M. Created and Updated are Unix seconds, 0 for the
// policy of a key that was never given one.
type RotationPolicy struct {
	Name             string // of the key, as first spelt
	Actions          []LifetimeAction
	ExpiryTime       string // exp of a version that a rotation makes, after its creation; "" for none
	Created, Updated int64

	// Wrong, of one that is set, is what the caller knows to be wrong with it: it is said in its turn,
	// after rights and existence.
	Wrong error
}

// A LifetimeAction is what is due some time after a version was made, or before it expires; the
// other of the two is "".
type LifetimeAction struct {
	_            struct{} `cbor:",toarray"`
	Type         string   // "Rotate" or "Notify"
	AfterCreate  string
	BeforeExpiry string
}

// A rotationRecord is the policy of a key: vault/<id>/key/<folded name>/rotation.
type rotationRecord struct {
	_                struct{} `cbor:",toarray"`
	Actions          []LifetimeAction
	ExpiryTime       string
	Created, Updated int64
}

const (
	actionRotate = "Rotate"
	actionNotify = "Notify" // kept for whoever reads the policy: nothing here notifies
)

func rotationPath(head string) string { return head + keyCollection.extra }

var (
	rotateKey         = verb{operation: "keys/rotate", action: access.KeysRotate, writes: true}
	getRotationPolicy = verb{operation: "keys/getrotationpolicy", action: access.KeysGetRotationPolicy}
	setRotationPolicy = verb{operation: "keys/setrotationpolicy", action: access.KeysSetRotationPolicy,
		writes: true}
)

// defaultRotation is the policy of a key that was never given one, as Azure shows it.
var defaultRotation = rotationRecord{Actions: []LifetimeAction{{Type: actionNotify,
	BeforeExpiry: "P30D"}}}

func (r *rotationRecord) policy(name string) RotationPolicy {
	return RotationPolicy{Name: name, Actions: r.Actions, ExpiryTime: r.ExpiryTime, Created: r.Created,
		Updated: r.Updated}
}

// rotation reads the policy of a key that was found.
func (d *decision) rotation(o object) (*rotationRecord, error) {
	path := rotationPath(o.path)
	record, ok := d.read(path)
	if !ok {
		return &defaultRotation, nil
	}
	plain, err := d.open(path, record)
	if err != nil {
		return nil, err
	}
	r, err := decodeWhole[rotationRecord](plain)
	if err != nil {
		return nil, damaged(path)
	}
	return r, nil
}

// GetRotationPolicy gives the policy of a live key.
func (v *Vaults) GetRotationPolicy(ctx context.Context, c Caller, name string) (RotationPolicy,
	error) {
	return perform(ctx, v, c, getRotationPolicy, target{name: name},
		func(d *decision) (RotationPolicy, error) {
			o, err := keyCollection.find(d, name, "")
			if err != nil {
				return RotationPolicy{}, err
			}
			r, err := d.rotation(o)
			if err != nil {
				return RotationPolicy{}, err
			}
			return r.policy(o.head.Name), nil
		})
}

// SetRotationPolicy replaces the policy of a live key.
func (v *Vaults) SetRotationPolicy(ctx context.Context, c Caller, name string,
	p RotationPolicy) (RotationPolicy, error) {
	return perform(ctx, v, c, setRotationPolicy, target{name: name},
		func(d *decision) (RotationPolicy, error) {
			o, err := keyCollection.find(d, name, "")
			if err != nil {
				return RotationPolicy{}, err
			}
			old, err := d.rotation(o)
			if err != nil {
				return RotationPolicy{}, err
			}
			r := rotationRecord{Actions: p.Actions, ExpiryTime: p.ExpiryTime, Created: old.Created,
				Updated: d.now.Unix()}
			if r.Created == 0 {
				r.Created = r.Updated
			}
			if p.Wrong != nil {
				return RotationPolicy{}, badParameter("%v", p.Wrong)
			}
			if err := r.valid(); err != nil {
				return RotationPolicy{}, err
			}
			if err := d.noteRotation(o, &r); err != nil {
				return RotationPolicy{}, err
			}
			return r.policy(o.head.Name), d.store(rotationPath(o.path), &r)
		})
}

// Azure's bounds, in days.
const (
	minExpiry = 28
	minBefore = 7 // of a rotation before expiry, and after creation
)

// valid holds a policy to Azure's rules. One that only notifies before expiry needs no expiryTime:
// the key may have an exp of its own.
func (r *rotationRecord) valid() error {
	expiry, err := parsePeriod("attributes.expiryTime", r.ExpiryTime)
	if err != nil {
		return err
	}
	if r.ExpiryTime != "" && expiry.days() < minExpiry {
		return badParameter("Property attributes.expiryTime is less than 28 days.")
	}
	seen := map[string]bool{}
	for i := range r.Actions {
		a := &r.Actions[i]
		if seen[a.Type] {
			return badParameter("Property lifetimeActions has more than one action of one type.")
		}
		seen[a.Type] = true
		if err := a.valid(r.ExpiryTime != "", expiry.days()); err != nil {
			return err
		}
	}
	return nil
}

func (a *LifetimeAction) valid(expires bool, expiry int) error {
	if a.Type != actionRotate && a.Type != actionNotify {
		return badProperty("lifetimeActions.action.type")
	}
	if (a.AfterCreate == "") == (a.BeforeExpiry == "") {
		return badParameter("A trigger of lifetimeActions has either timeAfterCreate or timeBeforeExpiry.")
	}
	after, err := parsePeriod("lifetimeActions.trigger.timeAfterCreate", a.AfterCreate)
	if err != nil {
		return err
	}
	before, err := parsePeriod("lifetimeActions.trigger.timeBeforeExpiry", a.BeforeExpiry)
	if err != nil || a.Type == actionNotify {
		return err
	}
	switch {
	case a.BeforeExpiry != "" && !expires:
		return badParameter("A rotation with timeBeforeExpiry needs attributes.expiryTime.")
	case a.BeforeExpiry != "" && before.days() < minBefore, a.AfterCreate != "" &&
		after.days() < minBefore:
		return badParameter("A rotation must be due at least 7 days after creation and 7 days before expiry.")
	case expires && (a.BeforeExpiry != "" && expiry-before.days() < minBefore || a.AfterCreate != "" &&
		expiry-after.days() < minBefore):
		return badParameter("A rotation must be due at least 7 days after creation and 7 days before expiry.")
	}
	return nil
}

// RotateKey adds a version with a new key of the latest one's shape, tags, key_ops and release
// policy. It expires when the policy says so.
func (v *Vaults) RotateKey(ctx context.Context, c Caller, name string) (Key, error) {
	return v.addKey(ctx, c, rotateKey, name,
		func(d *decision, o object) (newKey, error) { return d.planRotation(o, name) })
}

// planRotation says what the next version of a claimed key is to be.
func (d *decision) planRotation(o object, name string) (newKey, error) {
	if o.head == nil {
		return newKey{}, keyCollection.notFound(name, "")
	}
	latest, err := keyCollection.pick(d, o, name, "")
	if err != nil {
		return newKey{}, err
	}
	k, err := d.key(latest)
	if err != nil {
		return newKey{}, err
	}
	policy, err := d.rotation(o)
	if err != nil {
		return newKey{}, err
	}
	r, err := d.successor(latest, policy)
	if err != nil {
		return newKey{}, err
	}
	return newKeyOf(k.keyShape(), r), nil
}

// successor is the record of the version after latest, without its public half.
func (d *decision) successor(latest object, policy *rotationRecord) (keyRecord, error) {
	record, err := d.v.openFirst(latest.versionPath(), latest.record)
	if err != nil {
		return keyRecord{}, err
	}
	defer record.Zero()
	old, _, err := decodeKeyRecord(record)
	if err != nil {
		return keyRecord{}, damaged(latest.versionPath())
	}
	r := keyRecord{Ops: old.Ops, Tags: old.Tags, Kty: old.Kty, Exportable: old.Exportable,
		Release: old.Release}
	r.Attributes = newAttributes(Change{}, d.now)
	if policy.ExpiryTime != "" {
		life, err := parsePeriod("", policy.ExpiryTime)
		if err != nil {
			return keyRecord{}, damaged(rotationPath(latest.path))
		}
		exp := life.after(d.now).Unix()
		r.Attributes.Expires = &exp
	}
	return r, nil
}

// rotateDue is the background's part of rotation: a key whose policy says so gets a version, as
// RotateKey would make it. A key whose latest version is disabled is left alone: whoever switched
// it off did not ask for another that is on.
var rotateDue = duty{
	name: "rotate", grows: true,
	due: func(d *decision, o object) (bool, error) {
		if o.head.State != live {
			return false, nil
		}
		policy, err := d.rotation(o)
		if err != nil || !policy.rotates() {
			return false, err
		}
		latest, err := keyCollection.pick(d, o, o.head.Name, "")
		if err != nil {
			return false, err
		}
		a, err := d.attributes(latest)
		return err == nil && a.Enabled && policy.due(a, d.now), err
	},
	most: 64,
	act: func(d *decision, o object) error {
		k, err := d.planRotation(o, o.head.Name)
		if err != nil {
			return err
		}
		private, public, err := k.make() // in no queue: the keys that applications want may be many, and this is one at a time
		if err != nil {
			return err
		}
		defer private.Zero()
		_, err = d.addVersion(o, o.head.Name, k.record.withPublic(public), private)
		return err
	},
}

func (r *rotationRecord) rotates() bool {
	return slices.ContainsFunc(r.Actions,
		func(a LifetimeAction) bool { return a.Type == actionRotate })
}

// attributes are those of a version that was found.
func (d *decision) attributes(o object) (storedAttributes, error) {
	record, err := d.v.openFirst(o.versionPath(), o.record)
	if err != nil {
		return storedAttributes{}, err
	}
	defer record.Zero()
	r, _, err := decodeKeyRecord(record)
	if err != nil {
		return storedAttributes{}, damaged(o.versionPath())
	}
	return r.Attributes, nil
}

// keyShape is the row that this key was, or could have been, made from.
func (k *openedKey) keyShape() *keyShape {
	for i := range keyShapes {
		s := &keyShapes[i]
		if s.kty == baseType(k.record.Kty) && s.crv == k.record.Crv &&
			(s.bits == 0 || s.bits == k.material.bits()) {
			return s
		}
	}
	panic("vault: a key of no shape") // import and creation take these shapes alone
}

// due says whether a version made and expiring at these times is to be rotated by now.
func (r *rotationRecord) due(a storedAttributes, now time.Time) bool {
	for _, action := range r.Actions {
		if action.Type != actionRotate {
			continue
		}
		after, err := parsePeriod("", action.AfterCreate)
		before, err2 := parsePeriod("", action.BeforeExpiry)
		if err != nil || err2 != nil {
			return false
		}
		if action.AfterCreate != "" {
			return !now.Before(after.after(time.Unix(a.Created, 0)))
		}
		return a.Expires != nil && !now.Before(before.before(time.Unix(*a.Expires, 0)))
	}
	return false
}
