package seal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"keyquorum/seal"
)

func mustKeyring(t fataler, r *seal.Root) *seal.Keyring {
	t.Helper()
	k, err := r.NewKeyring()
	check(t, err)
	return k
}

func TestKeyringRoundTripWithTerms(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	var sealed [][]byte
	for i := range 3 {
		if k.Term() != uint32(i+1) {
			t.Fatalf("term %d, want %d", k.Term(), i+1)
		}
		sealed = append(sealed, mustSeal(t, k, "p", 1, "old and new"))
		check(t, k.Rotate())
	}
	wrapped, err := root.WrapKeyring(k)
	check(t, err)
	again, err := root.UnwrapKeyring(wrapped)
	check(t, err)
	if again.Term() != 4 {
		t.Errorf("term %d after unwrapping, want 4", again.Term())
	}
	for i, b := range sealed {
		if got, err := again.Open(nil, "p", 1, b); err != nil || string(got) != "old and new" {
			t.Errorf("term %d: %s, %v", i+1, got, err)
		}
	}
}

func TestWrappedKeyringRefusesEveryFlippedBit(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	wrapped, err := root.WrapKeyring(mustKeyring(t, root))
	check(t, err)
	for i := range wrapped {
		for bit := range 8 {
			altered := bytes.Clone(wrapped)
			altered[i] ^= 1 << bit
			if _, err := root.UnwrapKeyring(altered); err == nil {
				t.Fatalf("byte %d bit %d flipped, and it unwrapped", i, bit)
			}
		}
	}
}

func TestWrappedKeyringOfAnotherRoot(t *testing.T) {
	_, _, mine := mustInit(t, 1, 1)
	_, _, other := mustInit(t, 1, 1)
	_, _, elsewhere, err := seal.Init(clusterB, 1, 1)
	check(t, err)
	k := mustKeyring(t, other)
	wrapped, err := other.WrapKeyring(k)
	check(t, err)
	if _, err := mine.UnwrapKeyring(wrapped); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("unwrapping: %v, want ErrWrongKey", err)
	}
	wrapped[len(wrapped)-1] ^= 1
	if _, err := other.UnwrapKeyring(wrapped); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("unwrapping an altered one: %v, want ErrTampered", err)
	}
	if _, err := elsewhere.WrapKeyring(k); err == nil {
		t.Error("a root wrapped another cluster's keyring")
	}
}

func TestKeyringPlaintextIsCanonical(t *testing.T) {
	entry := func(terms ...uint32) (b []byte) {
		for _, term := range terms {
			b = binary.BigEndian.AppendUint32(b, term)
			b = append(b, bytes.Repeat([]byte{byte(term)}, 64)...)
		}
		return b
	}
	for name, b := range map[string][]byte{
		"empty": {}, "cut": entry(1)[:67], "term zero": entry(0), "twice": entry(1, 1),
		"descending": entry(2, 1),
	} {
		if _, err := seal.RecodeKeyring(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good := entry(1, 2, 7)
	if again, err := seal.RecodeKeyring(good); err != nil || !bytes.Equal(again, good) {
		t.Errorf("decoded and encoded: %x, %v", again, err)
	}
}

func TestClosedMeansSealed(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	sealed := mustSeal(t, k, "p", 1, "x")
	wrapped, err := root.WrapKeyring(k)
	check(t, err)
	k.Close()
	k.Close()
	_, wrapErr := root.WrapKeyring(k)
	root.Close()
	root.Close()
	_, sealErr := k.Seal(nil, "p", 1, nil)
	_, openErr := k.Open(nil, "p", 1, sealed)
	_, newErr := root.NewKeyring()
	_, unwrapErr := root.UnwrapKeyring(wrapped)
	_, macErr := root.JoinMAC()
	_, _, signErr := k.Sign(nil)
	_, underErr := k.SignUnder(1, nil)
	for name, err := range map[string]error{
		"WrapKeyring": wrapErr, "Seal": sealErr, "Open": openErr, "Rotate": k.Rotate(),
		"NewKeyring": newErr, "UnwrapKeyring": unwrapErr, "JoinMAC": macErr,
		"Sign": signErr, "SignUnder": underErr,
	} {
		if !errors.Is(err, seal.ErrSealed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if k.Term() != 0 {
		t.Errorf("term %d after Close", k.Term())
	}
	if public, ok := k.Public(1); ok || public != nil {
		t.Errorf("public key %x after Close", public)
	}
}

// Nothing that holds a key prints it.
func TestHoldersOfKeysPrintNone(t *testing.T) {
	record, shares, root := mustInit(t, 2, 2)
	k := mustKeyring(t, root)
	c := seal.NewCeremony(record)
	for _, s := range shares {
		_, err := c.Add(s)
		check(t, err)
	}
	o, err := c.Unlock()
	check(t, err)
	_, err = c.Add(shares[0])
	check(t, err)
	secrets := seal.MaskedKeys(record, shares, root, k, [32]byte{})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, holder := range []any{root, k, c, o} {
			printed := fmt.Sprintf(verb, holder)
			for name, secret := range secrets {
				for _, form := range []string{fmt.Sprintf("%x", secret[:8]),
					strings.Trim(fmt.Sprint(secret[:8]), "[]"), string(secret[:4]),
					fmt.Sprintf("%#v", secret[:4])[7:20]} {
					if strings.Contains(printed, form) {
						t.Errorf("%s of %T shows the %s", verb, holder, name)
					}
				}
			}
		}
	}
}
