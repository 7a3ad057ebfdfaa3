package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"keyquorum/seal"
)

func mustUnlock(t fataler, l seal.Lock, shares []seal.Plaintext) *seal.Opener {
	t.Helper()
	c := seal.NewLockCeremony(l)
	for _, s := range shares {
		_, err := c.Add(s)
		check(t, err)
	}
	o, err := c.Unlock()
	check(t, err)
	return o
}

// A joiner has the lock alone. With the shares it proves what a member that was unsealed can check;
// with the record it then has what that member has.
func TestUnlockAndThenTheRecord(t *testing.T) {
	record, shares, root := mustInit(t, 5, 3)
	lock, err := seal.DecodeLock(record.Lock.Encode())
	check(t, err)
	c := seal.NewLockCeremony(lock)
	for i, s := range shares[2:] {
		if _, err := c.Unlock(); !errors.Is(err, seal.ErrShareMissing) || c.Progress() != i {
			t.Fatalf("unlocked with %d shares: %v", i, err)
		}
		_, err := c.Add(s)
		check(t, err)
	}
	o, err := c.Unlock()
	check(t, err)
	if c.Progress() != 0 {
		t.Errorf("progress %d after Unlock", c.Progress())
	}
	proof, err := o.JoinMAC([]byte("a"), []byte("b"))
	check(t, err)
	want, err := root.JoinMAC([]byte("a"), []byte("b"))
	check(t, err)
	if !bytes.Equal(proof, want) {
		t.Errorf("the joiner proves %x, the member %x", proof, want)
	}
	joined, err := o.Root(record)
	check(t, err)
	o.Close()
	if !sameRoot(t, joined, root) {
		t.Error("the joiner has other keys than the member")
	}
}

// What a stranger gets is not enough to open anything, whoever gives shares for it.
func TestALockOpensNothing(t *testing.T) {
	record, shares, _ := mustInit(t, 2, 2)
	if wrapped := record.Encode()[31+2*32:]; bytes.Contains(record.Lock.Encode(), wrapped[:32]) {
		t.Error("the lock holds the wrapped root key")
	}
	c := seal.NewLockCeremony(record.Lock)
	for _, s := range shares {
		_, err := c.Add(s)
		check(t, err)
	}
	if root, err := c.Open(); !errors.Is(err, seal.ErrRecord) || root != nil {
		t.Errorf("opened: %v", err)
	}
	o := mustUnlock(t, record.Lock, shares)
	if root, err := o.Root(seal.Record{Lock: record.Lock}); !errors.Is(err, seal.ErrRecord) ||
		root != nil {
		t.Errorf("the lock in the place of the record: %v", err)
	}
}

// An opener opens the record of its own lock and no other, not even one that the same shares open.
func TestRecordOfAnotherLock(t *testing.T) {
	record, shares, _ := mustInit(t, 3, 2)
	again, _, _ := mustInit(t, 3, 2)
	raised := record.Lock.Encode()
	raised[30] = 3 // the threshold: more shares give the same keys
	lock, err := seal.DecodeLock(raised)
	check(t, err)
	for name, c := range map[string]struct {
		lock   seal.Lock
		record seal.Record
	}{
		"of the same cluster, made again": {record.Lock, again},
		"with another threshold":          {lock, record},
		"none":                            {record.Lock, seal.Record{}},
	} {
		o := mustUnlock(t, c.lock, shares)
		if root, err := o.Root(c.record); !errors.Is(err, seal.ErrOtherLock) || root != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	altered := record.Encode()
	altered[len(altered)-1] ^= 1
	tampered, err := seal.DecodeRecord(altered)
	check(t, err)
	if _, err := mustUnlock(t, record.Lock, shares).Root(tampered); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("an altered wrapping: %v", err)
	}
}

// Whoever lowers the threshold of a lock gets a proof under a key that is nobody's.
func TestALoweredThresholdProvesNothing(t *testing.T) {
	record, shares, root := mustInit(t, 3, 3)
	lowered := record.Lock.Encode()
	lowered[30] = 2
	lock, err := seal.DecodeLock(lowered)
	check(t, err)
	proof, err := mustUnlock(t, lock, shares[:2]).JoinMAC([]byte("x"))
	check(t, err)
	if want, _ := root.JoinMAC([]byte("x")); bytes.Equal(proof, want) {
		t.Error("two of three shares prove what three do")
	}
}

// Each bit of a lock says something: a changed one takes no share, or has no record.
func TestEveryFlippedByteOfALockIsFound(t *testing.T) {
	record, shares, _ := mustInit(t, 2, 2)
	encoded := record.Lock.Encode()
	for i := range encoded {
		altered := bytes.Clone(encoded)
		altered[i] ^= 1 << (i % 8)
		if err := joinWith(altered, shares, record); err == nil {
			t.Errorf("byte %d altered, and the root key came out", i)
		}
	}
	check(t, joinWith(encoded, shares, record))
}

func joinWith(encoded []byte, shares []seal.Plaintext, record seal.Record) error {
	lock, err := seal.DecodeLock(encoded)
	if err != nil {
		return err
	}
	c := seal.NewLockCeremony(lock)
	for _, s := range shares {
		if _, err := c.Add(s); err != nil {
			return err
		}
	}
	o, err := c.Unlock()
	if err != nil {
		return err
	}
	_, err = o.Root(record)
	return err
}

func TestDecodeLockSaysWhatIsWrong(t *testing.T) {
	record, _, _ := mustInit(t, 3, 2)
	good := record.Lock.Encode()
	with := func(at int, b ...byte) []byte {
		altered := bytes.Clone(good)
		copy(altered[at:], b)
		return altered
	}
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"empty":           {nil, "not a lock"},
		"head cut":        {good[:30], "not a lock"},
		"a seal record":   {record.Encode(), "not a lock"},
		"newer version":   {with(4, 2), "not a lock of version 2"},
		"short":           {good[:len(good)-1], "126 bytes where 127"},
		"long":            {append(bytes.Clone(good), 0), "128 bytes where 127"},
		"threshold one":   {with(30, 1), "threshold 1 of 3"},
		"no shares":       {with(29, 0), "threshold 2 of 0"},
		"generation zero": {with(21, make([]byte, 8)...), "generation 0"},
	} {
		l, err := seal.DecodeLock(c.bytes)
		if !errors.Is(err, seal.ErrLock) || !strings.Contains(err.Error(), c.want) || l != (seal.Lock{}) {
			t.Errorf("%s: %+v, %v, want %q", name, l, err, c.want)
		}
	}
	if _, err := seal.DecodeRecord(good); !errors.Is(err, seal.ErrRecord) {
		t.Errorf("a lock as a record: %v", err)
	}
}

func TestOpenerClosedMeansSealed(t *testing.T) {
	record, shares, _ := mustInit(t, 1, 1)
	o := mustUnlock(t, record.Lock, shares)
	o.Close()
	o.Close()
	if _, err := o.JoinMAC(); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("JoinMAC after Close: %v", err)
	}
	if _, err := o.Root(record); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("Root after Close: %v", err)
	}
}

func TestJoinMACSeparatesItsParts(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	seen := map[string]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"", "ab"}, {"ab", ""}} {
		var raw [][]byte
		for _, p := range parts {
			raw = append(raw, []byte(p))
		}
		sum, err := root.JoinMAC(raw...)
		check(t, err)
		if other, ok := seen[string(sum)]; ok || len(sum) != 32 {
			t.Errorf("%q has the MAC of %s", parts, other)
		}
		seen[string(sum)] = fmt.Sprintf("%q", parts)
	}
}
