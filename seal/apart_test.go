package seal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"keyquorum/seal"
)

func mustSealApart(
	t fataler, k *seal.Keyring, path string, logical uint64, first, second string,
) []byte {
	t.Helper()
	b, err := k.SealApart(nil, path, logical, []byte(first), []byte(second))
	check(t, err)
	return b
}

// The first part opens without the second; both open behind what the caller had.
func TestSealApartRoundTrip(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	rapid.Check(t, func(t *rapid.T) {
		path, logical := rapid.String().Draw(t, "path"), rapid.Uint64().Draw(t, "logical")
		first := rapid.SliceOf(rapid.Byte()).Draw(t, "first")
		second := rapid.SliceOf(rapid.Byte()).Draw(t, "second")
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "dst")
		room := rapid.IntRange(0, 300).Draw(t, "room")
		sealed, err := k.SealApart(bytes.Clone(prefix), path, logical, first, second)
		check(t, err)
		if !bytes.HasPrefix(sealed, prefix) ||
			len(sealed) != len(prefix)+159+len(first)+len(second) {
			t.Fatalf("appended %d bytes for %d and %d", len(sealed)-len(prefix), len(first), len(second))
		}
		sealed = sealed[len(prefix):]
		buffer := append(make([]byte, 0, len(prefix)+room), prefix...)
		both, err := k.Open(buffer, path, logical, sealed)
		check(t, err)
		if !bytes.Equal(both, bytes.Join([][]byte{prefix, first, second}, nil)) {
			t.Fatalf("opened %x, sealed %x and %x", []byte(both), first, second)
		}
		got, err := k.OpenFirst(nil, path, logical, sealed)
		check(t, err)
		if !bytes.Equal(got, first) {
			t.Fatalf("the first part opened as %x, sealed %x", []byte(got), first)
		}
		got, err = k.OpenSecond(bytes.Clone(prefix), path, logical, sealed)
		check(t, err)
		if !bytes.Equal(got, append(prefix, second...)) {
			t.Fatalf("the second part opened as %x, sealed %x", []byte(got), second)
		}
	})
}

// What was sealed in one part is a first part.
func TestOpenFirstOfOnePart(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	got, err := k.OpenFirst(nil, "p", 7, mustSeal(t, k, "p", 7, "a value"))
	if err != nil || string(got) != "a value" {
		t.Errorf("opened %q, %v", []byte(got), err)
	}
	for _, sealed := range [][]byte{nil, mustSeal(t, k, "p", 7, "a value")} {
		if got, err := k.OpenSecond(nil, "p", 7, sealed); got != nil || err != seal.ErrEnvelope {
			t.Errorf("a second part opened as %q, %v", []byte(got), err)
		}
	}
}

// Parts stay together: neither opens alone, for another place, or beside another.
func TestPartsGoTogether(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	sealed := mustSealApart(t, k, "p", 7, "first", "second")
	other := mustSealApart(t, k, "p", 7, "first", "another")
	length := int(binary.BigEndian.Uint32(sealed[1:]))
	first, second := sealed[5:5+length], sealed[5+length:]
	head := sealed[:5]
	for name, b := range map[string][]byte{
		"the first alone":    first,
		"the second alone":   second,
		"the second twice":   bytes.Join([][]byte{{2, 0, 0, 0, byte(len(second))}, second, second}, nil),
		"another second":     bytes.Join([][]byte{head, first, other[5+length:]}, nil),
		"another first":      bytes.Join([][]byte{head, other[5 : 5+length], second}, nil),
		"no second":          sealed[:5+length],
		"a cut second":       sealed[:len(sealed)-1],
		"more than a second": append(bytes.Clone(sealed), 0),
		"one part as first":  bytes.Join([][]byte{head, mustSeal(t, k, "p", 7, "first"), second}, nil),
		"one part as second": bytes.Join([][]byte{head, first, mustSeal(t, k, "p", 7, "second")}, nil),
	} {
		got, err := k.Open(nil, "p", 7, b)
		if got != nil || !errors.Is(err, seal.ErrTampered) && !errors.Is(err, seal.ErrEnvelope) {
			t.Errorf("%s: opened %q, %v", name, []byte(got), err)
		}
		got, err = k.OpenSecond(nil, "p", 7, b)
		if got != nil || !errors.Is(err, seal.ErrTampered) && !errors.Is(err, seal.ErrEnvelope) {
			t.Errorf("%s: the second part opened as %q, %v", name, []byte(got), err)
		}
	}
	for name, place := range map[string]func() (seal.Plaintext, error){
		"another path":    func() (seal.Plaintext, error) { return k.OpenFirst(nil, "q", 7, sealed) },
		"another version": func() (seal.Plaintext, error) { return k.OpenFirst(nil, "p", 8, sealed) },
	} {
		if got, err := place(); got != nil || !errors.Is(err, seal.ErrTampered) {
			t.Errorf("%s: the first part opened as %q, %v", name, []byte(got), err)
		}
	}
}

func TestEveryFlippedBitOfPartsIsRefused(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	sealed := mustSealApart(t, k, "p", 7, "first", "second")
	buffer := make([]byte, 0, len(sealed))
	for i := range sealed {
		for bit := range 8 {
			altered := bytes.Clone(sealed)
			altered[i] ^= 1 << bit
			if got, err := k.Open(buffer, "p", 7, altered); err == nil || got != nil {
				t.Fatalf("byte %d bit %d flipped: opened %q, %v", i, bit, []byte(got), err)
			}
			if got, err := k.OpenSecond(nil, "p", 7, altered); err == nil || got != nil {
				t.Fatalf("byte %d bit %d flipped: the second part opened as %q, %v", i, bit, []byte(got),
					err)
			}
			if bytes.Contains(buffer[:cap(buffer)], []byte("first")) {
				t.Fatalf("byte %d bit %d flipped: the first part is left in the buffer", i, bit)
			}
		}
	}
}
