package dev

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"keyquorum/cmd/keyquorum/operator"
)

// retentionDays is how long what was deleted can be recovered, where a seed does not say.
const retentionDays = 90

var everything = []string{"all"}

// furnish makes the vaults and the application that the environment speaks of, and what a seed asks
// for.
func (d *cluster) furnish(ctx context.Context) error {
	api, err := d.client(d.nodes[0].Address)
	if err != nil {
		return err
	}
	defer api.HTTP.CloseIdleConnections()
	app := d.state.appName()
	made, err := newApp(ctx, api, app)
	if err != nil {
		return err
	}
	for _, vault := range d.vaults() {
		d.say("Creating vault %s, in which application %s may do everything", vault.Name, app)
		if err := vault.make(ctx, api, app); err != nil {
			return err
		}
	}
	if err := d.sow(ctx, api, made); err != nil {
		return err
	}
	d.state.App = &made // last: a first run that was cut short begins anew
	return d.folder.Save(d.state)
}

// vaults are those that were asked for, as a seed says where it speaks of them.
func (d *cluster) vaults() (all []seedVault) {
	seeded := make(map[string]bool)
	if d.asked.seed != nil {
		for _, v := range d.asked.seed.Vaults {
			seeded[v.Name] = true
			all = append(all, v)
		}
	}
	for _, name := range d.state.vaults() {
		if !seeded[name] {
			all = append(all, seedVault{Name: name})
		}
	}
	return all
}

func (v seedVault) make(ctx context.Context, api *operator.Client, app string) error {
	days := retentionDays
	if v.RetentionDays != nil {
		days = *v.RetentionDays
	}
	_, err := operator.CreateVault(ctx, api, v.Name, days, v.PurgeProtection)
	if err != nil && !isConflict(err) {
		return fmt.Errorf("creating vault %s: %w", v.Name, err)
	}
	if _, err := operator.SetGrant(ctx, api, v.Name, app, everything, everything); err != nil {
		return fmt.Errorf("granting %s the use of vault %s: %w", app, v.Name, err)
	}
	return nil
}

func newApp(ctx context.Context, api *operator.Client, name string) (c Credential, err error) {
	if _, err := operator.CreateApp(ctx, api, name); err != nil && !isConflict(err) {
		return c, fmt.Errorf("creating application %s: %w", name, err)
	}
	made, err := operator.AddCredential(ctx, api, name, 0)
	if err != nil {
		return c, fmt.Errorf("making a client secret for %s: %w", name, err)
	}
	return Credential{ClientID: made.ClientID, Secret: made.Secret}, nil
}

// isConflict says that a thing is there already: a first run was cut short after it had made it.
func isConflict(err error) bool {
	var refused *operator.Refusal
	return errors.As(err, &refused) && refused.Status == http.StatusConflict
}
