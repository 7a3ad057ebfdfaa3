package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"keyquorum/seal"
)

var clusterA = [16]byte{0xa, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
var clusterB = [16]byte{0xb}

func mustInit(t fataler, n, threshold int) (seal.Record, []seal.Plaintext, *seal.Root) {
	t.Helper()
	record, shares, root, err := seal.Init(clusterA, n, threshold)
	check(t, err)
	return record, shares, root
}

// sameRoot tells whether two roots hold the same keys without seeing them.
func sameRoot(t fataler, a, b *seal.Root) bool {
	t.Helper()
	macA, err := a.JoinMAC([]byte("probe"))
	check(t, err)
	macB, err := b.JoinMAC([]byte("probe"))
	check(t, err)
	wrapped, err := a.WrapKeyring(mustKeyring(t, a))
	check(t, err)
	_, err = b.UnwrapKeyring(wrapped)
	return bytes.Equal(macA, macB) && err == nil
}

// Every t of n for n up to 7 open the root key, and one share fewer does not.
func TestEverySubsetUpToSeven(t *testing.T) {
	for n := 1; n <= 7; n++ {
		for threshold := min(2, n); threshold <= n; threshold++ {
			record, shares, root := mustInit(t, n, threshold)
			for subset := uint(1); subset < 1<<n; subset++ {
				if bits.OnesCount(subset) == threshold {
					openSubset(t, record, shares, root, subset)
				}
			}
		}
	}
}

// openSubset adds the shares whose bits are set, threshold of them.
func openSubset(t *testing.T, record seal.Record, shares []seal.Plaintext, root *seal.Root,
	subset uint) {
	t.Helper()
	c := seal.NewCeremony(record)
	for i, s := range shares {
		if subset>>i&1 == 0 {
			continue
		}
		if _, err := c.Open(); !errors.Is(err, seal.ErrShareMissing) {
			t.Fatalf("%d of %d shares of %b: %v", c.Progress(), record.Threshold, subset, err)
		}
		_, err := c.Add(s)
		check(t, err)
	}
	got, err := c.Open()
	check(t, err)
	if !sameRoot(t, got, root) || c.Progress() != 0 {
		t.Fatalf("subset %b: other root key, or progress %d", subset, c.Progress())
	}
}

// Any t of n in any order, with refused shares of every kind strewn between them.
func TestSharesInAnyOrderAmongBadOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 7).Draw(t, "n")
		threshold := rapid.IntRange(2, n).Draw(t, "t")
		record, shares, root := mustInit(t, n, threshold)
		order := rapid.Permutation(shares).Draw(t, "order")
		c := seal.NewCeremony(record)
		for i, s := range order[:threshold] {
			flipped := bytes.Clone(s)
			flipped[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			if progress, err := c.Add(flipped); err == nil || progress != i {
				t.Fatalf("flipped share %x: progress %d, %v", flipped, progress, err)
			}
			if progress, err := c.Add(s); err != nil || progress != i+1 {
				t.Fatalf("share %d: progress %d, %v", i, progress, err)
			}
			if progress, err := c.Add(s); !errors.Is(err, seal.ErrShareDuplicate) || progress != i+1 {
				t.Fatalf("share %d again: progress %d, %v", i, progress, err)
			}
		}
		got, err := c.Open()
		check(t, err)
		if !sameRoot(t, got, root) {
			t.Fatal("recovered another root key")
		}
	})
}

func TestBadSharesAreRefusedByName(t *testing.T) {
	record, shares, _ := mustInit(t, 3, 2)
	_, foreign, _ := mustInit(t, 3, 2) // the same cluster id, another key
	good := shares[0]
	withID := func(id byte) seal.Plaintext { return append(seal.Plaintext{id}, good[1:]...) }
	// The group's order l = 2^252 + 27742317777372353535851937790883648493, little-endian: the first
	// scalar that is none.
	order, _ := hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	for name, c := range map[string]struct {
		share seal.Plaintext
		want  error
	}{
		"nothing":             {nil, seal.ErrShareLength},
		"short":               {good[:32], seal.ErrShareLength},
		"long":                {append(bytes.Clone(good), 0), seal.ErrShareLength},
		"id zero":             {withID(0), seal.ErrShareMalformed},
		"all zero":            {make(seal.Plaintext, 33), seal.ErrShareMalformed},
		"scalar is the order": {append(seal.Plaintext{1}, order...), seal.ErrShareMalformed},
		"scalar of all ones": {append(seal.Plaintext{1}, bytes.Repeat([]byte{0xff}, 32)...),
			seal.ErrShareMalformed},
		"another share's id":      {withID(2), seal.ErrShareForeign},
		"an id that was not made": {withID(200), seal.ErrShareForeign},
		"scalar zero": {append(seal.Plaintext{1}, make([]byte, 32)...),
			seal.ErrShareForeign},
		"another key's share": {foreign[1], seal.ErrShareForeign},
		"given before":        {good, seal.ErrShareDuplicate},
		"given before, another value": {append(seal.Plaintext{good[0]}, shares[1][1:]...),
			seal.ErrShareForeign},
	} {
		t.Run(name, func(t *testing.T) {
			ceremony := seal.NewCeremony(record)
			_, err := ceremony.Add(good)
			check(t, err)
			if progress, err := ceremony.Add(c.share); !errors.Is(err, c.want) || progress != 1 {
				t.Errorf("progress %d, err %v, want %v", progress, err, c.want)
			}
			if progress, err := ceremony.Add(shares[2]); err != nil || progress != 2 {
				t.Errorf("the next good share: progress %d, %v", progress, err)
			}
		})
	}
}

func TestCeremonyForgetsOnReset(t *testing.T) {
	record, shares, _ := mustInit(t, 2, 2)
	c := seal.NewCeremony(record)
	for _, s := range shares {
		_, err := c.Add(s)
		check(t, err)
	}
	c.Reset()
	if _, err := c.Open(); !errors.Is(err, seal.ErrShareMissing) || c.Progress() != 0 {
		t.Errorf("after Reset: %v, progress %d", err, c.Progress())
	}
}

func TestCeremonyKeepsItsOwnCopy(t *testing.T) {
	record, shares, _ := mustInit(t, 2, 2)
	c := seal.NewCeremony(record)
	for _, s := range shares {
		_, err := c.Add(s)
		check(t, err)
		s.Zero()
	}
	_, err := c.Open()
	check(t, err)
}

func TestCeremonyWithoutRecordTakesNothing(t *testing.T) {
	_, shares, _ := mustInit(t, 1, 1)
	c := seal.NewCeremony(seal.Record{})
	if _, err := c.Add(shares[0]); !errors.Is(err, seal.ErrShareForeign) {
		t.Errorf("Add: %v", err)
	}
	if _, err := c.Open(); !errors.Is(err, seal.ErrShareMissing) {
		t.Errorf("Open: %v", err)
	}
}

func TestInitRefusesImpossibleSplits(t *testing.T) {
	for _, c := range [][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 2}, {3, 4}, {3, 1}, {256, 2}, {-1, -1},
		{3, -2}} {
		if _, _, _, err := seal.Init(clusterA, c[0], c[1]); !errors.Is(err, seal.ErrSplit) {
			t.Errorf("%d shares, threshold %d: %v", c[0], c[1], err)
		}
	}
	record, shares, root := mustInit(t, 255, 3)
	openSubset(t, record, shares[252:], root, 0b111) // ids 253 to 255
}
