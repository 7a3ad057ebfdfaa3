package seal_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"keyquorum/seal"
)

// rekeyed is a cluster before and after its shares were changed.
type rekeyed struct {
	records [2]seal.Record
	shares  [2][]seal.Plaintext
	roots   [2]*seal.Root
	keyring *seal.Keyring
	wrapped [2][]byte // the keyring, by each root key
}

func mustRekey(t fataler, n, threshold int) (r rekeyed) {
	t.Helper()
	var err error
	r.records[0], r.shares[0], r.roots[0] = mustInit(t, 3, 2)
	r.records[1], r.shares[1], r.roots[1], err = seal.Rekey(r.records[0].Lock, n, threshold)
	check(t, err)
	r.keyring = mustKeyring(t, r.roots[0])
	for i, root := range r.roots {
		r.wrapped[i], err = root.WrapKeyring(r.keyring)
		check(t, err)
	}
	return r
}

// Each generation opens what is its own, and nothing of the other.
func TestRekey(t *testing.T) {
	r := mustRekey(t, 5, 3)
	if l := r.records[1].Lock; l.Generation != 2 || l.Shares != 5 || l.Threshold != 3 ||
		l.ClusterID != clusterA {
		t.Errorf("the new lock is %+v", l)
	}
	for own, record := range r.records {
		other := 1 - own
		c := seal.NewCeremony(record)
		for _, s := range r.shares[other] {
			if _, err := c.Add(s); !errors.Is(err, seal.ErrShareForeign) {
				t.Errorf("generation %d takes a share of the other: %v", own+1, err)
			}
		}
		for _, s := range r.shares[own][:record.Threshold] {
			_, err := c.Add(s)
			check(t, err)
		}
		root, err := c.Open()
		check(t, err)
		if root.Generation() != uint64(own+1) {
			t.Errorf("generation %d says that it is %d", own+1, root.Generation())
		}
		if k, err := root.UnwrapKeyring(r.wrapped[own]); err != nil || k.Term() != 1 {
			t.Errorf("generation %d does not open its keyring: %v", own+1, err)
		}
		if _, err := root.UnwrapKeyring(r.wrapped[other]); !errors.Is(err, seal.ErrWrongKey) {
			t.Errorf("generation %d opens the keyring of the other: %v", own+1, err)
		}
		o := mustUnlock(t, record.Lock, r.shares[own][:record.Threshold])
		if _, err := o.Root(r.records[other]); !errors.Is(err, seal.ErrOtherLock) {
			t.Errorf("generation %d opens the record of the other: %v", own+1, err)
		}
	}
	if slices.ContainsFunc(r.shares[1], func(s seal.Plaintext) bool {
		return slices.ContainsFunc(r.shares[0], func(old seal.Plaintext) bool {
			return bytes.Equal(old, s)
		})
	}) {
		t.Error("a share is in both generations")
	}
	for _, c := range [][2]int{{0, 0}, {1, 2}, {2, 1}, {256, 2}} {
		if _, _, _, err := seal.Rekey(r.records[0].Lock, c[0], c[1]); !errors.Is(err, seal.ErrSplit) {
			t.Errorf("%d of %d: %v", c[1], c[0], err)
		}
	}
}

// The second record has the old one's bytes in no part but its head.
func TestRecordsAreApart(t *testing.T) {
	r := mustRekey(t, 3, 2)
	old, fresh := r.records[0].Encode(), r.records[1].Encode()
	for at := 31; at+16 <= len(fresh); at++ {
		if bytes.Contains(old, fresh[at:at+16]) {
			t.Fatalf("16 bytes of the new record at %d are in the old one", at)
		}
	}
}

// A member that was unsealed becomes one of the new generation where it stands.
func TestAdopt(t *testing.T) {
	r := mustRekey(t, 3, 2)
	member := r.roots[0]
	check(t, member.Adopt(r.roots[1]))
	r.roots[1].Close()
	if member.Generation() != 2 {
		t.Errorf("generation %d", member.Generation())
	}
	if _, err := member.UnwrapKeyring(r.wrapped[1]); err != nil {
		t.Errorf("the new keyring: %v", err)
	}
	if _, err := member.UnwrapKeyring(r.wrapped[0]); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("the old keyring: %v", err)
	}
	proof, err := member.JoinMAC([]byte("a"))
	check(t, err)
	joiner := mustUnlock(t, r.records[1].Lock, r.shares[1][1:])
	if want, err := joiner.JoinMAC([]byte("a")); err != nil || !bytes.Equal(proof, want) {
		t.Error("it does not know who was given the new shares")
	}
	older := mustRekey(t, 1, 1)
	for name, other := range map[string]*seal.Root{
		"itself": member, "an older one": older.roots[0], "the same generation": older.roots[1],
	} {
		if err := member.Adopt(other); err == nil {
			t.Errorf("it adopts %s", name)
		}
	}
	if err := older.roots[0].Adopt(r.roots[1]); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("it adopts a closed one: %v", err)
	}
	member.Close()
	if member.Generation() != 0 {
		t.Error("a closed one has a generation")
	}
}

func TestHandover(t *testing.T) {
	r := mustRekey(t, 3, 2)
	ask, err := seal.NewHandover(clusterA, 2)
	check(t, err)
	sealed, err := r.roots[1].HandOver(2, ask.Public())
	check(t, err)
	root, err := ask.Root(sealed)
	check(t, err)
	if !sameRoot(t, root, r.roots[1]) || root.Generation() != 2 {
		t.Error("another root key came")
	}
	another, err := seal.NewHandover(clusterA, 2)
	check(t, err)
	later, err := seal.NewHandover(clusterA, 3)
	check(t, err)
	elsewhere, err := seal.NewHandover([16]byte{9}, 2)
	check(t, err)
	for name, h := range map[string]*seal.Handover{
		"another request": another, "another generation": later, "another cluster": elsewhere,
	} {
		if _, err := h.Root(sealed); err == nil {
			t.Errorf("it opens for %s", name)
		}
	}
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		if _, err := ask.Root(altered); err == nil {
			t.Fatalf("byte %d altered, and it opens", i)
		}
	}
	if _, err := r.roots[0].HandOver(2, ask.Public()); err == nil {
		t.Error("a root key of generation 1 was handed over as one of 2")
	}
	if _, err := r.roots[1].HandOver(2, ask.Public()[1:]); err == nil {
		t.Error("it was handed over to half a key")
	}
	r.roots[1].Close()
	if _, err := r.roots[1].HandOver(2, ask.Public()); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("a closed one was handed over: %v", err)
	}
}
