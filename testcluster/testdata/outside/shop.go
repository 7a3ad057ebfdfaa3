// Package shop is an application that keeps a password in Azure Key Vault, and knows of nothing else.
package shop

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// A Till knows the password of the day.
type Till struct{ Secrets *azsecrets.Client }

// Change sets the password.
func (t Till) Change(ctx context.Context, password string) error {
	_, err := t.Secrets.SetSecret(ctx, "till", azsecrets.SetSecretParameters{Value: &password}, nil)
	return err
}

// Password is the one that was set last.
func (t Till) Password(ctx context.Context) (string, error) {
	answer, err := t.Secrets.GetSecret(ctx, "till", "", nil)
	if err != nil {
		return "", err
	}
	return *answer.Value, nil
}
