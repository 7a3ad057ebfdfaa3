package seal_test

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"

	"keyquorum/seal"
)

// C2SP XAES-256-GCM, "Test Vectors". The first key's CMAC subkey needs no reduction, the second
// one's does.
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

// C2SP XAES-256-GCM, "Accumulated Randomized Tests": ten thousand messages, drawn from SHAKE128.
func TestXAESSealsAsC2SP(t *testing.T) {
	const want = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
	drawn, sum := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	draw := func(n int) []byte {
		b := make([]byte, n)
		_, _ = drawn.Read(b)
		return b
	}
	for range 10_000 {
		key, nonce := draw(32), draw(24)
		plaintext := draw(int(draw(1)[0]))
		associated := draw(int(draw(1)[0]))
		sealed, err := seal.SealXAESWith(key, nonce, plaintext, associated)
		check(t, err)
		_, _ = sum.Write(sealed)
		got, err := seal.OpenXAES(key, append(nonce, sealed...), associated)
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Fatalf("opened %x, %v", got, err)
		}
	}
	got := make([]byte, 32)
	_, _ = sum.Read(got)
	if hex.EncodeToString(got) != want {
		t.Errorf("sealed what gives %x, where C2SP has %s", got, want)
	}
}

// What is sealed opens, and only with its own key and associated data.
func TestXAESRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")
		plaintext := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "plaintext")
		associated := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "associated")
		sealed, err := seal.SealXAES(key, plaintext, associated)
		check(t, err)
		if got, err := seal.OpenXAES(key, sealed, associated); err != nil ||
			!bytes.Equal(got, plaintext) {
			t.Fatalf("opened %x, %v", got, err)
		}
		if _, err := seal.OpenXAES(key, sealed, append(associated, 0)); err == nil {
			t.Fatal("opened with other associated data")
		}
		key[0] ^= 1
		if _, err := seal.OpenXAES(key, sealed, associated); err == nil {
			t.Fatal("opened with another key")
		}
	})
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
