package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// refusalClaims are the refusals that programs are known to look for: made ready here, met there.
func refusalClaims() []claim {
	refusal := func(code string, status int, ready, meet func(context.Context, *world) error) claim {
		return claim{fmt.Sprintf("%d %s", status, code), func(ctx context.Context, w *world) error {
			if err := ready(ctx, w); err != nil {
				return err
			}
			return refused(meet(ctx, w), status, code)
		}}
	}
	nothing := func(context.Context, *world) error { return nil }
	return []claim{
		refusal("KeyNotFound", 404, nothing, signES256("no-such-key")),
		refusal("SecretNotFound", 404, nothing, readSecret("no-such-secret")),
		refusal("SecretDisabled", 403, secretThatIs("switched-off",
			&azsecrets.SecretAttributes{Enabled: to.Ptr(false)}), readSecret("switched-off")),
		refusal("KeyDisabled", 403, keyThatIs("switched-off",
			&azkeys.KeyAttributes{Enabled: to.Ptr(false)}), signES256("switched-off")),
		refusal("KeyExpired", 403, keyThatIs("expired",
			&azkeys.KeyAttributes{Expires: to.Ptr(time.Now().Add(-time.Hour))}), signES256("expired")),
		refusal("KeyNotYetValid", 403, keyThatIs("early",
			&azkeys.KeyAttributes{NotBefore: to.Ptr(time.Now().Add(time.Hour))}), signES256("early")),
		refusal("KeyOperationForbidden", 403, keyThatIs("only-verifies", nil, azkeys.KeyOperationVerify),
			signES256("only-verifies")),
		refusal("BadParameter", 400, keyThatIs("signs", nil), func(ctx context.Context, w *world) error {
			_, err := w.there.keys.Sign(ctx, "signs", "",
				azkeys.SignParameters{Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256),
					Value: []byte("short")}, nil)
			return err
		}),
		refusal("ObjectIsDeletedButRecoverable", 409, deletedSecret("name-is-taken"),
			func(ctx context.Context, w *world) error {
				_, err := w.there.secrets.SetSecret(ctx, "Name-is-taken",
					azsecrets.SetSecretParameters{Value: to.Ptr("x")}, nil)
				return err
			}),
	}
}

// refused says what is wrong with a refusal. The SDK shows the inner code in the text alone.
func refused(err error, status int, code string) error {
	var response *azcore.ResponseError
	if !errors.As(err, &response) || response.StatusCode != status ||
		!strings.Contains(err.Error(), `"`+code+`"`) {
		return fmt.Errorf("met %w, not %d %s", err, status, code)
	}
	return nil
}

func signES256(key string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		alg := azkeys.SignatureAlgorithmES256
		_, err := w.there.keys.Sign(ctx, key, "",
			azkeys.SignParameters{Algorithm: &alg, Value: digestFor(alg)}, nil)
		return err
	}
}

func readSecret(name string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		_, err := w.there.secrets.GetSecret(ctx, name, "", nil)
		return err
	}
}

func keyThatIs(name string, attributes *azkeys.KeyAttributes,
	ops ...azkeys.KeyOperation) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		_, err := w.here.keys.CreateKey(ctx, name, azkeys.CreateKeyParameters{
			Kty: to.Ptr(azkeys.KeyTypeEC), KeyAttributes: attributes, KeyOps: to.SliceOfPtrs(ops...),
		}, nil)
		return err
	}
}

func secretThatIs(name string, attributes *azsecrets.SecretAttributes) func(context.Context,
	*world) error {
	return func(ctx context.Context, w *world) error {
		_, err := w.here.secrets.SetSecret(ctx, name,
			azsecrets.SetSecretParameters{Value: to.Ptr("x"), SecretAttributes: attributes}, nil)
		return err
	}
}

func deletedSecret(name string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		if err := w.set(ctx, name, "x"); err != nil {
			return err
		}
		_, err := w.here.secrets.DeleteSecret(ctx, name, nil)
		return err
	}
}
