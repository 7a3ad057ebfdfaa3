package testcluster_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

func backupAndRestore(t *testing.T, nodes *circle) {
	ctx := t.Context()
	var versions []string
	for i := range 3 {
		s := then(nodes.next().secrets.SetSecret(ctx, "Kept",
			azsecrets.SetSecretParameters{Value: to.Ptr(fmt.Sprint("value ", i)),
				Tags: map[string]*string{"n": to.Ptr(fmt.Sprint(i))}}, nil))(t)
		versions = append(versions, s.ID.Version())
	}
	must(t, second(nodes.next().keys.CreateKey(ctx, "Kept",
		azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC)}, nil)))
	old := then(nodes.next().keys.GetKey(ctx, "kept", "", nil))(t)
	must(t, second(nodes.next().keys.RotateKey(ctx, "kept", nil)))
	alg, digest := to.Ptr(azkeys.SignatureAlgorithmES256), make([]byte, 32)
	signed := then(nodes.next().keys.Sign(ctx, "kept", old.Key.KID.Version(),
		azkeys.SignParameters{Algorithm: alg, Value: digest}, nil))(t)

	secret := then(nodes.next().secrets.BackupSecret(ctx, "kept", nil))(t)
	key := then(nodes.next().keys.BackupKey(ctx, "kept", nil))(t)
	_, err := nodes.next().secrets.RestoreSecret(ctx,
		azsecrets.RestoreSecretParameters{SecretBackup: secret.Value}, nil)
	wantError(t, err, 409, "Conflict")
	must(t, second(nodes.next().secrets.DeleteSecret(ctx, "kept", nil)))
	must(t, second(nodes.next().keys.DeleteKey(ctx, "kept", nil)))
	_, err = nodes.next().keys.RestoreKey(ctx, azkeys.RestoreKeyParameters{KeyBackup: key.Value}, nil)
	wantError(t, err, 409, "Conflict", "ObjectIsDeletedButRecoverable")
	must(t, second(nodes.next().secrets.PurgeDeletedSecret(ctx, "kept", nil)))
	must(t, second(nodes.next().keys.PurgeDeletedKey(ctx, "kept", nil)))
	_, err = nodes.next().secrets.RestoreSecret(ctx,
		azsecrets.RestoreSecretParameters{SecretBackup: key.Value}, nil)
	wantError(t, err, 400, "BadParameter", "Backup blob contains invalid or corrupt version.")

	for _, vault := range [][]client{nodes.first, nodes.other} { // any vault of the cluster
		must(t, second(vault[0].secrets.RestoreSecret(ctx,
			azsecrets.RestoreSecretParameters{SecretBackup: secret.Value}, nil)))
		must(t, second(vault[1].keys.RestoreKey(ctx, azkeys.RestoreKeyParameters{KeyBackup: key.Value},
			nil)))
		for i, version := range versions {
			if s := then(vault[2].secrets.GetSecret(ctx, "kept", version,
				nil))(t); *s.Value != fmt.Sprint("value ", i) || *s.Tags["n"] != fmt.Sprint(i) ||
				s.ID.Name() != "Kept" {
				t.Errorf("version %d came back as %q %v", i, *s.Value, s.ID)
			}
		}
		if good := then(vault[0].keys.Verify(ctx, "kept", old.Key.KID.Version(),
			azkeys.VerifyParameters{Algorithm: alg, Digest: digest, Signature: signed.Result},
			nil))(t); !*good.Value {
			t.Error("the old version came back as another key")
		}
		if latest := then(vault[2].keys.GetKey(ctx, "kept", "",
			nil))(t); latest.Key.KID.Version() == old.Key.KID.Version() {
			t.Error("the latest version is the old one")
		}
	}
}

func rotation(t *testing.T, nodes *circle) {
	ctx := t.Context()
	made := then(nodes.next().keys.CreateKey(ctx, "turning",
		azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeECHSM), Curve: to.Ptr(azkeys.CurveNameP384),
			Tags:   map[string]*string{"a": to.Ptr("b")},
			KeyOps: ops("sign")}, nil))(t)
	p := then(nodes.next().keys.GetKeyRotationPolicy(ctx, "turning", nil))(t)
	if a := p.LifetimeActions; len(a) != 1 || *a[0].Trigger.TimeBeforeExpiry != "P30D" ||
		*a[0].Action.Type != azkeys.KeyRotationPolicyActionNotify || p.Attributes == nil ||
		p.Attributes.ExpiryTime != nil {
		t.Errorf("the policy of a key that has none: %+v", p)
	}
	set := azkeys.KeyRotationPolicy{Attributes: &azkeys.KeyRotationPolicyAttributes{
		ExpiryTime: to.Ptr("P90D")}, LifetimeActions: []*azkeys.LifetimeAction{
		{Action: &azkeys.LifetimeActionType{Type: to.Ptr(azkeys.KeyRotationPolicyActionRotate)},
			Trigger: &azkeys.LifetimeActionTrigger{TimeAfterCreate: to.Ptr("P30D")}},
		{Action: &azkeys.LifetimeActionType{Type: to.Ptr(azkeys.KeyRotationPolicyActionNotify)},
			Trigger: &azkeys.LifetimeActionTrigger{TimeBeforeExpiry: to.Ptr("P30D")}}}}
	stored := then(nodes.next().keys.UpdateKeyRotationPolicy(ctx, "turning", set, nil))(t)
	read := then(nodes.next().keys.GetKeyRotationPolicy(ctx, "TURNING", nil))(t)
	for _, p := range []azkeys.KeyRotationPolicy{stored.KeyRotationPolicy, read.KeyRotationPolicy} {
		if len(p.LifetimeActions) != 2 || *p.Attributes.ExpiryTime != "P90D" ||
			*p.LifetimeActions[0].Trigger.TimeAfterCreate != "P30D" ||
			*p.LifetimeActions[0].Action.Type != "Rotate" ||
			p.Attributes.Created == nil || !strings.HasSuffix(*p.ID, "/keys/turning/rotationpolicy") {
			t.Errorf("%+v", p)
		}
	}
	rotated := then(nodes.next().keys.RotateKey(ctx, "turning", nil))(t)
	k := rotated.Key
	if *k.KID == *made.Key.KID || *k.Kty != azkeys.KeyTypeECHSM || *k.Crv != azkeys.CurveNameP384 ||
		*rotated.Tags["a"] != "b" || len(k.KeyOps) != 1 || rotated.Attributes.NotBefore != nil ||
		!rotated.Attributes.Expires.Equal(rotated.Attributes.Created.AddDate(0, 0, 90)) {
		t.Errorf("rotated to %+v %+v", k, rotated.Attributes)
	}
	_, err := nodes.next().keys.UpdateKeyRotationPolicy(ctx, "turning",
		azkeys.KeyRotationPolicy{Attributes: &azkeys.KeyRotationPolicyAttributes{
			ExpiryTime: to.Ptr("P27D")}}, nil)
	wantError(t, err, 400, "BadParameter")
}

func keyAttributes(t *testing.T, nodes *circle) {
	ctx := t.Context()
	made := then(nodes.next().keys.CreateKey(ctx, "changing",
		azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeOct), KeyOps: ops("sign")}, nil))(t)
	version := made.Key.KID.Version()
	for _, op := range []string{"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey",
		"export"} {
		got := then(nodes.next().keys.UpdateKey(ctx, "changing", version,
			azkeys.UpdateKeyParameters{KeyOps: ops(op)}, nil))(t)
		if len(got.Key.KeyOps) != 1 || string(*got.Key.KeyOps[0]) != op {
			t.Errorf("%s: %+v", op, got.Key)
		}
	}
	for i := range 4 {
		nbf, exp := time.Unix(int64(i)*1e9, 0), time.Unix(int64(i)*1e9+4e9, 0)
		tags := map[string]*string{}
		for n := range 5 * i {
			tags[strings.Repeat("t", 254)+fmt.Sprintf("%02d", n)] = to.Ptr(strings.Repeat("ü", 256))
		}
		enabled := i%2 == 0
		must(t, second(nodes.next().keys.UpdateKey(ctx, "changing", "",
			azkeys.UpdateKeyParameters{Tags: tags,
				KeyAttributes: &azkeys.KeyAttributes{Enabled: &enabled, NotBefore: &nbf, Expires: &exp}}, nil)))
		got := then(nodes.next().keys.GetKey(ctx, "changing", version, nil))(t)
		if a := got.Attributes; *a.Enabled != enabled || !a.NotBefore.Equal(nbf) ||
			!a.Expires.Equal(exp) ||
			!maps.EqualFunc(got.Tags, tags, func(a, b *string) bool { return *a == *b }) {
			t.Errorf("%d: %+v %v", i, a, got.Tags)
		}
	}
}

func secretAttributes(t *testing.T, nodes *circle) {
	ctx := t.Context()
	made := then(nodes.next().secrets.SetSecret(ctx, "changing",
		azsecrets.SetSecretParameters{Value: to.Ptr("v"), ContentType: to.Ptr("text/plain")}, nil))(t)
	for i, contentType := range []string{"", "application/json", strings.Repeat("é", 255)} {
		enabled, nbf, exp := i != 1, time.Unix(int64(i), 0), time.Unix(253402300799, 0)
		got := then(nodes.next().secrets.UpdateSecretProperties(ctx, "changing", made.ID.Version(),
			azsecrets.UpdateSecretPropertiesParameters{ContentType: &contentType,
				SecretAttributes: &azsecrets.SecretAttributes{Enabled: &enabled, NotBefore: &nbf,
					Expires: &exp}, Tags: map[string]*string{"i": to.Ptr(fmt.Sprint(i)), "gone": nil}}, nil))(t)
		if a := got.Attributes; *a.Enabled != enabled || !a.NotBefore.Equal(nbf) ||
			!a.Expires.Equal(exp) || *got.Tags["i"] != fmt.Sprint(i) || len(got.Tags) != 1 ||
			got.Value != nil ||
			contentType != "" && *got.ContentType != contentType || *a.RecoverableDays != 90 ||
			*a.RecoveryLevel != "Recoverable+Purgeable" {
			t.Errorf("%d: %+v %+v", i, got, a)
		}
	}
	if got := then(nodes.next().secrets.GetSecret(ctx, "changing", "", nil))(t); *got.Value != "v" {
		t.Errorf("the value became %q", *got.Value)
	}
}

func deletedLists(t *testing.T, nodes *circle) {
	ctx := t.Context()
	var gone, few []string
	for i := range 27 { // more than a page
		name := fmt.Sprintf("gone-%02d", i)
		gone = append(gone, name)
		must(t, second(nodes.next().secrets.SetSecret(ctx, name,
			azsecrets.SetSecretParameters{Value: to.Ptr("x"), Tags: map[string]*string{"name": &name}},
			nil)))
		must(t, second(nodes.next().secrets.DeleteSecret(ctx, name, nil)))
		if i%9 == 0 {
			few = append(few, name)
			must(t, second(nodes.next().keys.CreateKey(ctx, name,
				azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeOct),
					Tags: map[string]*string{"name": &name}}, nil)))
			must(t, second(nodes.next().keys.DeleteKey(ctx, name, nil)))
		}
	}
	var secrets, keys []string
	for pager := nodes.next().secrets.NewListDeletedSecretPropertiesPager(nil); pager.More(); {
		for _, s := range then(pager.NextPage(ctx))(t).Value {
			if strings.HasPrefix(s.ID.Name(), "gone-") && *s.Tags["name"] == s.ID.Name() &&
				s.ScheduledPurgeDate.Equal(s.DeletedDate.AddDate(0, 0, 90)) &&
				strings.HasSuffix(*s.RecoveryID, "/deletedsecrets/"+s.ID.Name()) {
				secrets = append(secrets, s.ID.Name())
			}
		}
	}
	for pager := nodes.next().keys.NewListDeletedKeyPropertiesPager(nil); pager.More(); {
		for _, k := range then(pager.NextPage(ctx))(t).Value {
			if strings.HasPrefix(k.KID.Name(), "gone-") && *k.Tags["name"] == k.KID.Name() &&
				k.ScheduledPurgeDate.Equal(k.DeletedDate.AddDate(0, 0, 90)) &&
				strings.HasSuffix(*k.RecoveryID, "/deletedkeys/"+k.KID.Name()) {
				keys = append(keys, k.KID.Name())
			}
		}
	}
	if !slices.Equal(secrets, gone) || !slices.Equal(keys, few) {
		t.Errorf("secrets %v, keys %v", secrets, keys)
	}
}

func randomBytes(t *testing.T, nodes *circle) {
	seen := map[string]bool{}
	for _, count := range []int32{1, 16, 128, 128, 128} {
		got := then(nodes.next().keys.GetRandomBytes(t.Context(),
			azkeys.GetRandomBytesParameters{Count: &count}, nil))(t)
		if len(got.Value) != int(count) || count == 128 && seen[string(got.Value)] {
			t.Errorf("%d: %x", count, got.Value)
		}
		seen[string(got.Value)] = true
	}
	for _, count := range []int32{0, 129, -1} {
		_, err := nodes.next().keys.GetRandomBytes(t.Context(),
			azkeys.GetRandomBytesParameters{Count: &count}, nil)
		wantError(t, err, 400, "BadParameter")
	}
}

// Every character of Unicode's first plane goes in and comes out of every node, and so do the ends
// of the other planes, and nothing at all.
func values(t *testing.T, nodes *circle) {
	roundTrip := func(ctx context.Context, value string) {
		t.Helper()
		set := then(nodes.next().secrets.SetSecret(ctx, "value",
			azsecrets.SetSecretParameters{Value: &value}, nil))(t)
		for range 2 {
			got := then(nodes.next().secrets.GetSecret(ctx, "value", set.ID.Version(), nil))(t)
			if got.Value == nil || *got.Value != value {
				t.Fatalf("%d bytes from %.12q came back changed", len(value), value)
			}
		}
	}
	roundTrip(t.Context(), "")
	var block strings.Builder
	for r := rune(0); r <= 0x10ffff; r++ {
		switch {
		case 0xd800 <= r && r <= 0xdfff:
			continue // no characters
		case r >= 0x10000 && r&0xffff > 0x1ff && r&0xffff < 0xff00:
			continue
		}
		block.WriteRune(r)
		if block.Len() > 25600-4 {
			roundTrip(t.Context(), block.String())
			block.Reset()
		}
	}
	roundTrip(t.Context(), block.String())
}
