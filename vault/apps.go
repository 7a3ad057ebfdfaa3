package vault

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"keyquorum/seal"
)

// An App is a principal: an application with client secrets.
type App struct {
	ClientID, OID, Name string
	Enabled             bool
	Created             time.Time
	Credentials         []Credential
}

// A Credential is one client secret; the secret itself is shown once, as a NewCredential.
type Credential struct {
	ID      string
	Created time.Time
	Expires time.Time // zero: never
}

// A NewCredential is a client secret that was just made, and whose it is. The secret is the
// caller's to clear.
type NewCredential struct {
	Credential
	ClientID string
	Secret   seal.Plaintext
}

// maxCredentials bounds a principal's record: enough to roll one over while the old one still
// works.
const maxCredentials = 16

func (p *principal) app() App {
	a := App{ClientID: p.ClientID, OID: p.OID, Name: p.Name, Enabled: p.Enabled,
		Created: time.Unix(p.Created, 0).UTC()}
	for _, c := range p.Credentials {
		a.Credentials = append(a.Credentials, c.credential())
	}
	return a
}

func (r credentialRecord) credential() Credential {
	c := Credential{ID: r.ID, Created: time.Unix(r.Created, 0).UTC()}
	if r.Ends != 0 {
		c.Expires = time.Unix(r.Ends, 0).UTC()
	}
	return c
}

// app finds an application by client id or name.
func (d *decision) app(nameOrID string) (*principal, error) {
	unknown := notFound("ApplicationNotFound",
		"There is no application of the name or client id %q.", clip(nameOrID))
	id := fold(nameOrID)
	if !validUUID(id) {
		path := appNamePath(id)
		r, ok := d.read(path)
		if !ok {
			return nil, unknown
		}
		b, err := d.open(path, r)
		if err != nil {
			return nil, err
		}
		name, err := decodeWhole[appNameRecord](b)
		if err != nil {
			return nil, damaged(path)
		}
		id = name.ClientID
	}
	p, ok, err := load(d, d.v.principals, appPath(id))
	if err == nil && !ok {
		err = unknown
	}
	return p, err
}

// about is app for an act that is about this one.
func (d *decision) about(nameOrID string) (p *principal, err error) {
	if p, err = d.app(nameOrID); err == nil {
		d.subject = p
	}
	return p, err
}

// CreateApp makes an application without credentials. Conflict if the name is taken.
func (v *Vaults) CreateApp(ctx context.Context, o Operator, name string) (App, error) {
	w := adminVerb{operation: "admin/apps/create", writes: true}
	return performAdmin(ctx, v, o, w, "", name, func(d *decision) (App, error) {
		if !validAppName(name) || validUUID(fold(name)) {
			return App{}, badParameter("An application's name is 1 to 64 letters, digits, '-', '_' and '.', and not a UUID.")
		}
		if _, taken := d.read(appNamePath(fold(name))); taken {
			return App{}, conflict("ApplicationAlreadyExists",
				"There is an application called %q already.", name)
		}
		p := principal{&principalRecord{ClientID: newUUID(), OID: newUUID(), Name: name, Enabled: true,
			Created: d.now.Unix()}}
		d.subject = &p
		if err := d.store(appNamePath(fold(name)), &appNameRecord{ClientID: p.ClientID}); err != nil {
			return App{}, err
		}
		return p.app(), d.store(appPath(p.ClientID), p.principalRecord)
	})
}

// GetApp describes an application.
func (v *Vaults) GetApp(ctx context.Context, o Operator, nameOrID string) (App, error) {
	return performAdmin(ctx, v, o, adminVerb{operation: "admin/apps/get"}, "", nameOrID,
		func(d *decision) (App, error) {
			p, err := d.about(nameOrID)
			if err != nil {
				return App{}, err
			}
			return p.app(), nil
		})
}

// ListApps describes all applications, by name.
func (v *Vaults) ListApps(ctx context.Context, o Operator) ([]App, error) {
	return performAdmin(ctx, v, o, adminVerb{operation: "admin/apps/list"}, "", "",
		func(d *decision) ([]App, error) {
			all := []App{}
			for path := range d.view.Scan(appNameDir, "") {
				p, err := d.app(path[len(appNameDir):])
				if err != nil {
					return nil, err
				}
				all = append(all, p.app())
			}
			return all, nil
		})
}

// changeApp replaces an application's record by what edit makes of it.
func (v *Vaults) changeApp(ctx context.Context, o Operator, operation, nameOrID string,
	edit func(d *decision, r *principalRecord) error) (App, error) {
	w := adminVerb{operation: operation, writes: true}
	return performAdmin(ctx, v, o, w, "", nameOrID, func(d *decision) (App, error) {
		p, err := d.about(nameOrID)
		if err != nil {
			return App{}, err
		}
		r := *p.principalRecord // the cache's own must not change
		r.Credentials = slices.Clone(r.Credentials)
		if err := edit(d, &r); err != nil {
			return App{}, err
		}
		changed := principal{&r}
		return changed.app(), d.store(appPath(r.ClientID), &r)
	})
}

// SetAppEnabled switches a principal off or on: off, its tokens are refused everywhere when the
// call has returned.
func (v *Vaults) SetAppEnabled(ctx context.Context, o Operator, nameOrID string, enabled bool) (App,
	error) {
	return v.changeApp(ctx, o, "admin/apps/enable", nameOrID,
		func(d *decision, r *principalRecord) error {
			r.Enabled, d.relieves = enabled, !enabled
			if d.detail = "disabled"; enabled {
				d.detail = "enabled"
			}
			return nil
		})
}

// DeleteApp removes an application, its credentials and its grants; its tokens are refused
// everywhere when the call has returned. Its ids are never used again.
func (v *Vaults) DeleteApp(ctx context.Context, o Operator, nameOrID string) error {
	w := adminVerb{operation: "admin/apps/delete", writes: true, removes: true}
	_, err := performAdmin(ctx, v, o, w, "", nameOrID, func(d *decision) (none struct{}, err error) {
		d.relieves = true
		p, err := d.about(nameOrID)
		if err != nil {
			return none, err
		}
		d.read(appNamePath(fold(p.Name))) // so that there is room for it
		if err := d.removeGrants(p.OID); err != nil || d.again {
			return none, err
		}
		d.remove(appNamePath(fold(p.Name)))
		d.remove(appPath(p.ClientID))
		return none, nil
	})
	return err
}

// removeGrants removes what oid may do, in all vaults, as many as a transaction holds at a time.
func (d *decision) removeGrants(oid string) error {
	for path, record := range d.view.Scan(vaultNameDir, "") {
		vault, err := decoded(d, d.v.vaults, path, record)
		if err != nil {
			return err
		}
		grant := accessPath(vault.ID, oid)
		if _, ok := d.view.Get(grant); !ok {
			continue
		}
		if d.full() {
			d.again = true
			return nil
		}
		d.remove(grant)
	}
	return nil
}

// AddCredential makes a client secret (256 random bits), shown once. life 0 means no end; another
// is at least a second.
func (v *Vaults) AddCredential(ctx context.Context, o Operator, app string,
	life time.Duration) (NewCredential, error) {
	secret := newCredential(clientSecretPrefix)
	made := credentialRecord{ID: newUUID(), Hash: sha256.Sum256(secret)}
	a, err := v.changeApp(ctx, o, "admin/credentials/add", app,
		func(d *decision, r *principalRecord) error {
			if life != 0 && life < time.Second {
				return badParameter("A credential's life is at least a second.")
			}
			if len(r.Credentials) >= maxCredentials {
				return conflict("TooManyCredentials", "An application has at most 16 credentials.")
			}
			d.detail = "credential=" + made.ID
			made.Created = d.now.Unix()
			if life != 0 {
				made.Ends = d.now.Add(life).Unix()
			}
			r.Credentials = append(r.Credentials, made)
			return nil
		})
	if err != nil {
		secret.Zero()
		return NewCredential{}, err
	}
	return NewCredential{made.credential(), a.ClientID, secret}, nil
}

// RemoveCredential revokes a client secret and every token issued for it: no node takes them when
// the call has returned.
func (v *Vaults) RemoveCredential(ctx context.Context, o Operator, app, credentialID string) error {
	_, err := v.changeApp(ctx, o, "admin/credentials/remove", app,
		func(d *decision, r *principalRecord) error {
			d.detail, d.relieves = "credential="+clip(credentialID), true
			i := slices.IndexFunc(r.Credentials,
				func(c credentialRecord) bool { return c.ID == credentialID })
			if i < 0 {
				return notFound("CredentialNotFound",
					"The application %s has no credential of the id %q.", r.Name, clip(credentialID))
			}
			r.Credentials = slices.Delete(r.Credentials, i, i+1)
			return nil
		})
	return err
}
