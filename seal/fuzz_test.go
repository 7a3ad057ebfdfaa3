package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"keyquorum/seal"
)

func FuzzShare(f *testing.F) {
	g := loadGolden(f)
	record, err := seal.DecodeRecord(g.record)
	check(f, err)
	for _, s := range g.shares {
		f.Add([]byte(s))
	}
	f.Add([]byte{})
	f.Add(make([]byte, 33))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := seal.NewCeremony(record)
		progress, err := c.Add(b)
		issued := false
		for _, s := range g.shares {
			issued = issued || bytes.Equal(s, b)
		}
		if issued != (err == nil) || (progress == 1) != issued {
			t.Fatalf("share %x: progress %d, %v", b, progress, err)
		}
		if err != nil && !errors.Is(err, seal.ErrShareLength) &&
			!errors.Is(err, seal.ErrShareMalformed) && !errors.Is(err, seal.ErrShareForeign) {
			t.Fatalf("refused without a name: %v", err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	g := loadGolden(f)
	f.Add(g.record)
	f.Add(g.record[:len(g.record)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		record, err := seal.DecodeRecord(b)
		if err != nil {
			if !errors.Is(err, seal.ErrRecord) || record != (seal.Record{}) {
				t.Fatalf("refused with %+v, %v", record, err)
			}
			return
		}
		if !bytes.Equal(record.Encode(), b) {
			t.Fatalf("decoded %x, encoded %x", b, record.Encode())
		}
		// An attacker's record: whatever it says, a ceremony on it neither panics nor opens unless it is
		// the true one.
		c := seal.NewCeremony(record)
		for _, s := range g.shares {
			_, _ = c.Add(s)
		}
		if _, err := c.Open(); (err == nil) != bytes.Equal(seal.Unlisted(record), g.record) {
			t.Fatalf("record %x: %v", b, err)
		}
	})
}

func FuzzLock(f *testing.F) {
	g := loadGolden(f)
	record, err := seal.DecodeRecord(g.record)
	check(f, err)
	f.Add(g.lock)
	f.Add(g.lock[:len(g.lock)-1])
	f.Add(g.record)
	f.Fuzz(func(t *testing.T, b []byte) {
		lock, err := seal.DecodeLock(b)
		if err != nil {
			if !errors.Is(err, seal.ErrLock) || lock != (seal.Lock{}) {
				t.Fatalf("refused with %+v, %v", lock, err)
			}
			return
		}
		if !bytes.Equal(lock.Encode(), b) {
			t.Fatalf("decoded %x, encoded %x", b, lock.Encode())
		}
		// A stranger's lock: shares neither make it panic nor open the true record, unless it is the true
		// one.
		if err := joinWith(b, g.shares, record); (err == nil) != bytes.Equal(b, g.lock) {
			t.Fatalf("lock %x: %v", b, err)
		}
	})
}

func FuzzUnwrapKeyring(f *testing.F) {
	g := loadGolden(f)
	root, _ := g.unseal(f, 0)
	f.Add(g.keyring)
	f.Add(g.keyring[:73])
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := root.UnwrapKeyring(b)
		if (err == nil) != bytes.Equal(b, g.keyring) || (k == nil) != (err != nil) {
			t.Fatalf("%x: %v", b, err)
		}
	})
}

// The keyring's plaintext is behind the AEAD, out of the fuzzer's reach: it gets a target of its
// own.
func FuzzKeyringPlaintext(f *testing.F) {
	f.Add(append([]byte{0, 0, 0, 1}, make([]byte, 64)...))
	f.Add(make([]byte, 68))
	f.Fuzz(func(t *testing.T, b []byte) {
		if again, err := seal.RecodeKeyring(b); err == nil && !bytes.Equal(again, b) {
			t.Fatalf("decoded %x, encoded %x", b, again)
		}
	})
}

func FuzzOpen(f *testing.F) {
	g := loadGolden(f)
	_, k := g.unseal(f, 0)
	for _, e := range g.envelope {
		f.Add(e, goldenPath, uint64(goldenLogical))
		f.Add(e[:77], goldenPath, uint64(goldenLogical))
		f.Add(e, "elsewhere", uint64(0))
	}
	f.Add(g.apart, goldenPath, uint64(goldenLogical))
	f.Add(g.apart[:5], goldenPath, uint64(goldenLogical))
	f.Fuzz(func(t *testing.T, b []byte, path string, logical uint64) {
		got, err := k.Open(nil, path, logical, b)
		genuine := path == goldenPath && logical == goldenLogical &&
			(bytes.Equal(b, g.envelope[0]) || bytes.Equal(b, g.envelope[1]) || bytes.Equal(b, g.apart))
		if genuine != (err == nil) {
			t.Fatalf("%x at %q %d: %v", b, path, logical, err)
		}
		if err == nil && string(got) != goldenPlaintext {
			t.Fatalf("opened %q", []byte(got))
		}
	})
}
