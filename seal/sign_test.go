package seal_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"keyquorum/seal"
)

// RFC 8032 section 7.1, TEST 2 and TEST 3: a term's seed is an Ed25519 private key as the RFC has
// it.
func TestSignIsEd25519OfTheSeed(t *testing.T) {
	for _, v := range []struct{ seed, public, message, signature string }{
		{
			"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
			"72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
				"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		},
		{
			"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
			"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
			"af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac" +
				"18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
		},
	} {
		entry := slices.Concat([]byte{0, 0, 0, 7}, bytes.Repeat([]byte{1}, 32), unhex(t, v.seed))
		k, err := seal.DecodeKeyring(entry)
		check(t, err)
		term, signature, err := k.Sign(unhex(t, v.message))
		check(t, err)
		public, ok := k.Public(7)
		if term != 7 || !ok || !bytes.Equal(public, unhex(t, v.public)) {
			t.Errorf("term %d, public key %x", term, public)
		}
		if !bytes.Equal(signature, unhex(t, v.signature)) {
			t.Errorf("signature %x", signature)
		}
	}
}

// Every term signs, before and after wrapping, and with a key of its own.
func TestEveryTermSignsWithItsOwnKey(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	check(t, k.Rotate())
	check(t, k.Rotate())
	wrapped, err := root.WrapKeyring(k)
	check(t, err)
	again, err := root.UnwrapKeyring(wrapped)
	check(t, err)
	message := []byte("a message")
	for signer := uint32(1); signer <= 3; signer++ {
		signature, err := k.SignUnder(signer, message)
		check(t, err)
		for term := uint32(1); term <= 3; term++ {
			public, ok := again.Public(term)
			if !ok || ed25519.Verify(public, message, signature) != (term == signer) {
				t.Errorf("signature of term %d under the key of %d: not as it should be", signer, term)
			}
		}
	}
	term, newest, err := again.Sign(message)
	check(t, err)
	want, err := k.SignUnder(3, message)
	check(t, err)
	if term != 3 || !bytes.Equal(newest, want) {
		t.Errorf("Sign used term %d, or another key", term)
	}
}

func TestSigningUnderATermThatIsNotThere(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	for _, term := range []uint32{0, 2, 1<<32 - 1} {
		signature, err := k.SignUnder(term, nil)
		if !errors.Is(err, seal.ErrUnknownTerm) || signature != nil {
			t.Errorf("term %d: %v", term, err)
		}
		if public, ok := k.Public(term); ok || public != nil {
			t.Errorf("term %d has the public key %x", term, public)
		}
	}
}

// Two terms, two keyrings: no key is used twice, neither for two terms nor for two uses.
func TestRotateMakesBothKeys(t *testing.T) {
	record, shares, root := mustInit(t, 1, 1)
	seen := map[[32]byte]string{}
	for name, k := range map[string]*seal.Keyring{
		"one": mustKeyring(t, root), "other": mustKeyring(t, root),
	} {
		check(t, k.Rotate())
		keys := seal.MaskedKeys(record, shares, root, k, [32]byte{})
		for _, key := range []string{"data key 1", "data key 2", "signing seed 1", "signing seed 2"} {
			if other := seen[keys[key]]; other != "" || keys[key] == [32]byte{} {
				t.Errorf("%s of keyring %s is %s", key, name, other)
			}
			seen[keys[key]] = key + " of keyring " + name
		}
	}
}

// A public key that was handed out is the caller's.
func TestPublicIsACopy(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	public, _ := k.Public(1)
	kept := bytes.Clone(public)
	clear(public)
	_, signature, err := k.Sign(nil)
	check(t, err)
	if again, _ := k.Public(1); !bytes.Equal(again, kept) || !ed25519.Verify(kept, nil, signature) {
		t.Errorf("public key %x, was %x", again, kept)
	}
}

// Signers race with Rotate and Close; each gets a signature of the term it is told, or ErrSealed.
func TestSignUntilClose(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	var signers sync.WaitGroup
	failed := make(chan error, 4)
	for i := range 4 {
		signers.Go(func() { failed <- signUntilSealed(k, fmt.Append(nil, "message ", i)) })
	}
	for range 5 {
		check(t, k.Rotate())
	}
	k.Close()
	signers.Wait()
	close(failed)
	for err := range failed {
		if !errors.Is(err, seal.ErrSealed) {
			t.Error(err)
		}
	}
}

func signUntilSealed(k *seal.Keyring, message []byte) error {
	for {
		term, signature, err := k.Sign(message)
		if err != nil {
			return err
		}
		public, ok := k.Public(term)
		if ok && !ed25519.Verify(public, message, signature) {
			return fmt.Errorf("a signature of term %d does not verify", term)
		}
	}
}

func BenchmarkSign1KiB(b *testing.B) {
	_, _, root := mustInit(b, 1, 1)
	k := mustKeyring(b, root)
	message := make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := k.Sign(message); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareSign1KiB is the same signature without a keyring, for comparison.
func BenchmarkBareSign1KiB(b *testing.B) {
	key, message := ed25519.NewKeyFromSeed(make([]byte, 32)), make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		ed25519.Sign(key, message)
	}
}
