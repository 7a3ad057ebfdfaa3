package seal_test

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
	"pgregory.net/rapid"

	"keyquorum/seal"
)

// C2SP XAES-256-GCM, "Test Vectors". The first key's CMAC subkey needs no reduction, the second one's does.
func TestXAESOpensC2SPVectors(t *testing.T) {
	for _, v := range []struct {
		key        byte
		associated string
		ciphertext string
	}{
		{0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		sealed := append([]byte("ABCDEFGHIJKLMNOPQRSTUVWX"), unhex(t, v.ciphertext)...)
		got, err := seal.OpenXAES(bytes.Repeat([]byte{v.key}, 32), sealed, []byte(v.associated))
		if err != nil || string(got) != "XAES-256-GCM" {
			t.Errorf("key %#x: opened %q, %v", v.key, got, err)
		}
	}
}

// C2SP XAES-256-GCM, "Accumulated Randomized Tests": 10,000 messages sealed, their ciphertexts hashed together.
func TestXAESSealsC2SPAccumulated(t *testing.T) {
	source, sum := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	take := func(n int) []byte {
		b := make([]byte, n)
		_, _ = source.Read(b)
		return b
	}
	for range 10_000 {
		key, nonce := take(32), take(24)
		plaintext := take(int(take(1)[0]))
		associated := take(int(take(1)[0]))
		gcm, err := seal.MessageCipher(key, nonce)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = sum.Write(gcm.Seal(nil, nonce[12:], plaintext, associated))
	}
	got := make([]byte, 32)
	_, _ = sum.Read(got)
	if want := "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"; hex.EncodeToString(got) != want {
		t.Errorf("accumulated %x, want %s", got, want)
	}
}

// Tink's implementation is the second opinion: each opens what the other sealed.
func TestXAESAgreesWithTink(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")
		plaintext := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "plaintext")
		associated := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "associated")
		other := tinkXAES(t, key)
		ours, err := seal.SealXAES(key, plaintext, associated)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := other.Decrypt(ours, associated); err != nil || !bytes.Equal(got, plaintext) {
			t.Fatalf("tink opened ours as %x, %v", got, err)
		}
		theirs, err := other.Encrypt(plaintext, associated)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := seal.OpenXAES(key, theirs, associated); err != nil || !bytes.Equal(got, plaintext) {
			t.Fatalf("we opened tink's as %x, %v", got, err)
		}
	})
}

func tinkXAES(t *rapid.T, key []byte) tink.AEAD {
	parameters, err := xaesgcm.NewParameters(xaesgcm.VariantNoPrefix, 12)
	check(t, err)
	tinkKey, err := xaesgcm.NewKey(secretdata.NewBytesFromData(key, insecuresecretdataaccess.Token{}), 0, parameters)
	check(t, err)
	manager := keyset.NewManager()
	id, err := manager.AddKey(tinkKey)
	check(t, err)
	check(t, manager.SetPrimary(id))
	handle, err := manager.Handle()
	check(t, err)
	primitive, err := aead.New(handle)
	check(t, err)
	return primitive
}

type fataler interface {
	Helper()
	Fatal(args ...any)
}

func check(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func unhex(t fataler, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	check(t, err)
	return b
}
