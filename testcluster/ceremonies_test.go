package testcluster_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/openbao/openbao/api/v2"

	"keyquorum/testcluster"
)

// TestCeremoniesByBao changes the shares and makes root tokens with OpenBao's client, which knows
// both generations of the rekey's paths.
func TestCeremoniesByBao(t *testing.T) {
	t.Setenv("BAO_ADDR", "")
	c := testcluster.Loopback(t, 3, nil)
	b := bao(t, c, (c.Leader()+1)%3, c.Token)

	begun, err := b.Sys().RekeyInit(&api.RekeyInitRequest{SecretShares: 3, SecretThreshold: 2,
		RequireVerification: true})
	must(t, err)
	if !begun.Started || begun.T != 2 || begun.N != 3 || begun.Required != 2 {
		t.Fatalf("begun: %+v", begun)
	}
	must(t, b.Sys().RekeyCancel())
	begun, err = b.Sys().RekeyInit(&api.RekeyInitRequest{SecretShares: 3, SecretThreshold: 2,
		RequireVerification: true})
	must(t, err)
	update, err := b.Sys().RekeyUpdate(c.Shares[0], begun.Nonce)
	must(t, err)
	if status, err := b.Sys().RekeyStatus(); err != nil || update.Complete || status.Progress != 1 {
		t.Fatalf("after a share: %+v, %v", status, err)
	}
	update, err = b.Sys().RekeyUpdate(c.Shares[1], begun.Nonce)
	must(t, err)
	if !update.Complete || !update.VerificationRequired || len(update.KeysB64) != 3 {
		t.Fatal("new shares were not shown for verification")
	}
	shares := update.KeysB64
	for i, share := range shares[:2] {
		v, err := b.Sys().RekeyVerificationUpdate(share, update.VerificationNonce)
		must(t, err)
		if v.Complete != (i == 1) {
			t.Fatalf("new share %d: %+v", i, v)
		}
	}

	rotation, err := b.Sys().RotateRootInit(&api.RotateInitRequest{SecretShares: 1,
		SecretThreshold: 1})
	must(t, err)
	if _, err := b.Sys().RotateRootUpdate(c.Shares[0], rotation.Nonce); err == nil ||
		!strings.Contains(err.Error(), "invalid key") {
		t.Fatalf("a share of before: %v", err)
	}
	_, err = b.Sys().RotateRootUpdate(shares[2], rotation.Nonce)
	must(t, err)
	rotated, err := b.Sys().RotateRootUpdate(shares[0], rotation.Nonce)
	must(t, err)
	if !rotated.Complete || len(rotated.Keys) != 1 {
		t.Fatal("new shares were not shown")
	}

	root, err := b.Sys().GenerateRootInit("", "")
	must(t, err)
	done, err := b.Sys().GenerateRootUpdate(rotated.Keys[0], root.Nonce)
	must(t, err)
	token, err := base64.RawStdEncoding.DecodeString(done.EncodedToken)
	must(t, err)
	if len(token) != root.OTPLength {
		t.Fatalf("a token of %d bytes, and an otp of %d", len(token), root.OTPLength)
	}
	for i := range token {
		token[i] ^= root.OTP[i]
	}
	for i := range c.Size() {
		b := bao(t, c, i, string(token))
		_, err := b.Auth().Token().LookupSelf()
		must(t, err)
		must(t, b.Sys().Seal())
		status, err := b.Sys().Unseal(rotated.Keys[0])
		must(t, err)
		if status.Sealed || status.T != 1 || status.N != 1 {
			t.Fatalf("node %d after the new share: %+v", i, status)
		}
	}
}
