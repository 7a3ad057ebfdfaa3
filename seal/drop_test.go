package seal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"keyquorum/seal"
)

// A term that was dropped opens nothing, here and at whoever adopts the keyring. It still signs,
// and the newest two open as before.
func TestDrop(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	follower := rewrapped(t, root, k)
	var sealed [4][]byte // by term
	for term := 1; term <= 3; term++ {
		var err error
		sealed[term], err = k.SealApart(nil, "p", 1, []byte("meta"), []byte("value"))
		check(t, err)
		if got, err := seal.TermOf(sealed[term]); err != nil || int(got) != term {
			t.Errorf("term %d: %d, %v", term, got, err)
		}
		if term < 3 {
			check(t, k.Rotate())
		}
	}
	public, _ := k.Public(1)
	check(t, k.Drop())
	unwrapped := rewrapped(t, root, k)
	check(t, follower.Adopt(unwrapped))
	for name, k := range map[string]*seal.Keyring{
		"itself": k, "unwrapped": unwrapped, "adopted": follower, "again": rewrapped(t, root, follower),
	} {
		if _, err := k.Open(nil, "p", 1, sealed[1]); !errors.Is(err, seal.ErrDroppedTerm) {
			t.Errorf("%s: what a dropped term sealed: %v", name, err)
		}
		if got := k.Older(); got != 1 {
			t.Errorf("%s: %d older terms", name, got)
		}
		if p, ok := k.Public(1); !ok || !bytes.Equal(p, public) {
			t.Errorf("%s: the signing key of the dropped term is gone", name)
		}
		again, err := k.Reseal("p", 1, 7, sealed[2])
		check(t, err)
		if got, err := k.Open(nil, "p", 7, again); err != nil || string(got) != "metavalue" {
			t.Errorf("%s: sealed anew: %q, %v", name, []byte(got), err)
		}
		if first, err := k.OpenFirst(nil, "p", 7, again); err != nil || string(first) != "meta" {
			t.Errorf("%s: its first part: %q, %v", name, []byte(first), err)
		}
		if term, err := seal.TermOf(again); err != nil || term != 3 {
			t.Errorf("%s: sealed anew under %d, %v", name, term, err)
		}
	}
}

func rewrapped(t *testing.T, root *seal.Root, k *seal.Keyring) *seal.Keyring {
	t.Helper()
	wrapped, err := root.WrapKeyring(k)
	check(t, err)
	k, err = root.UnwrapKeyring(wrapped)
	check(t, err)
	return k
}

// A keyring whose newest term has no data key seals nothing, so it is none.
func TestNewestTermHasADataKey(t *testing.T) {
	entry := func(term uint32, key byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, term)
		b = append(b, bytes.Repeat([]byte{key}, 32)...)
		return append(b, bytes.Repeat([]byte{7}, 32)...)
	}
	if _, err := seal.RecodeKeyring(append(entry(1, 0), entry(2, 1)...)); err != nil {
		t.Errorf("a keyring with a dropped term: %v", err)
	}
	if _, err := seal.RecodeKeyring(append(entry(1, 1), entry(2, 0)...)); err == nil {
		t.Error("a keyring whose newest term was dropped is taken")
	}
}

func FuzzTermOf(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 1})
	f.Add([]byte{2, 0, 0, 0, 9, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := seal.TermOf(b); err != nil && !errors.Is(err, seal.ErrEnvelope) {
			t.Errorf("%v", err)
		}
	})
}
