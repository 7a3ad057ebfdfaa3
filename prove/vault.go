package prove

import (
	"context"
	"fmt"
	"net/http"
)

// openVault makes the vault, or makes sure that what is made in the one that is there can be
// removed again.
func (r *Run) openVault(ctx context.Context) error {
	create := operatorCall(http.MethodPost, "/v1/keyquorum/vaults",
		fmt.Sprintf(`{"name":%q}`, r.options.Vault))
	var vault struct {
		ID              string `json:"id"`
		PurgeProtection bool   `json:"purge_protection"`
	}
	if err := r.insist(ctx, create, &vault, http.StatusConflict); err != nil {
		return err
	}
	r.made = vault.ID != "" // not if it was there; nor if an answer was lost, which is the safe side
	if err := r.insist(ctx, operatorCall(http.MethodGet, "/v1/keyquorum/vaults/"+r.options.Vault, ""),
		&vault); err != nil {
		return err
	}
	if vault.PurgeProtection {
		return fmt.Errorf("vault %s has purge protection: what a run makes there could not be removed",
			r.options.Vault)
	}
	return nil
}

// MadeVault says whether the vault was not there before the run.
func (r *Run) MadeVault() bool { return r.made }

// RemoveVault deletes and purges the vault, unless somebody has a grant in it: another run may be
// at work there. Call it after CleanUp, and only for a vault that a run has made.
func (r *Run) RemoveVault(ctx context.Context) error {
	var others struct {
		Grants []struct{} `json:"grants"`
	}
	if err := r.insist(ctx, operatorCall(http.MethodGet,
		"/v1/keyquorum/vaults/"+r.options.Vault+"/grants", ""), &others); err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	if len(others.Grants) > 0 {
		return nil
	}
	err := r.remove(ctx, operatorCall(http.MethodDelete, "/v1/keyquorum/vaults/"+r.options.Vault, ""),
		operatorCall(http.MethodDelete, "/v1/keyquorum/deleted-vaults/"+r.options.Vault, ""))
	if err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	return nil
}
