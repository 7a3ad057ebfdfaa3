package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"keyquorum/seal"
)

func mustSeal(t fataler, k *seal.Keyring, path string, logical uint64, plaintext string) []byte {
	t.Helper()
	b, err := k.Seal(nil, path, logical, []byte(plaintext))
	check(t, err)
	return b
}

func TestSealOpenRoundTrip(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.String().Draw(t, "path")
		logical := rapid.Uint64().Draw(t, "logical")
		plaintext := rapid.SliceOf(rapid.Byte()).Draw(t, "plaintext")
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "dst")
		sealed, err := k.Seal(bytes.Clone(prefix), path, logical, plaintext)
		check(t, err)
		if !bytes.HasPrefix(sealed, prefix) || len(sealed) != len(prefix)+77+len(plaintext) {
			t.Fatalf("appended %d bytes to %d for %d", len(sealed)-len(prefix), len(prefix), len(plaintext))
		}
		buffer := make([]byte, len(prefix), len(prefix)+len(plaintext))
		copy(buffer, prefix)
		got, err := k.Open(buffer, path, logical, sealed[len(prefix):])
		check(t, err)
		if !bytes.Equal(got, append(bytes.Clone(prefix), plaintext...)) {
			t.Fatalf("opened %x behind %x, sealed %x", []byte(got), prefix, plaintext)
		}
		if len(got) > 0 && &got[0] != &buffer[:1][0] {
			t.Fatal("opened into other memory than the caller's, which had room")
		}
	})
}

func TestEveryFlippedBitOfAnEnvelopeIsRefused(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	sealed := mustSeal(t, k, "vault/1/secret/a", 7, "a value")
	for i := range sealed {
		want := seal.ErrTampered
		switch {
		case i < 1:
			want = seal.ErrEnvelope
		case i < 5:
			want = seal.ErrUnknownTerm
		case i < 37:
			want = seal.ErrWrongKey
		}
		for bit := range 8 {
			altered := bytes.Clone(sealed)
			altered[i] ^= 1 << bit
			if got, err := k.Open(nil, "vault/1/secret/a", 7, altered); !errors.Is(err, want) || got != nil {
				t.Fatalf("byte %d bit %d flipped: %v, want %v", i, bit, err, want)
			}
		}
	}
}

func TestCutAndLengthenedEnvelopes(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	sealed := mustSeal(t, k, "p", 7, "a value")
	for n := range sealed {
		want := seal.ErrTampered
		if n < 77 {
			want = seal.ErrEnvelope
		}
		if _, err := k.Open(nil, "p", 7, sealed[:n]); !errors.Is(err, want) {
			t.Errorf("cut to %d: %v, want %v", n, err, want)
		}
	}
	if _, err := k.Open(nil, "p", 7, append(sealed, 0)); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("lengthened: %v", err)
	}
}

// I8: a record opens only at the path and logical version it was sealed for, in the cluster it was
// sealed for.
func TestRecordsOpenOnlyWhereTheyBelong(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	type place struct {
		path    string
		logical uint64
	}
	var places []place
	for _, path := range []string{"", "a", "a/b", "a/b/", "ab", "b/a"} {
		for _, logical := range []uint64{0, 1, 1 << 32, 1 << 63} {
			places = append(places, place{path, logical})
		}
	}
	for _, from := range places {
		sealed := mustSeal(t, k, from.path, from.logical, "x")
		for _, to := range places {
			_, err := k.Open(nil, to.path, to.logical, sealed)
			if from == to && err != nil {
				t.Errorf("%v: %v", from, err)
			}
			if from != to && !errors.Is(err, seal.ErrTampered) {
				t.Errorf("sealed for %v, opened for %v: %v", from, to, err)
			}
		}
	}
}

func TestRecordOfAnotherKeyOrTerm(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k, other := mustKeyring(t, root), mustKeyring(t, root)
	if _, err := k.Open(nil, "p", 1, mustSeal(t, other, "p", 1, "x")); !errors.Is(err,
		seal.ErrWrongKey) {
		t.Errorf("another key of the same term: %v, want ErrWrongKey", err)
	}
	check(t, other.Rotate())
	if _, err := k.Open(nil, "p", 1, mustSeal(t, other, "p", 1, "x")); !errors.Is(err,
		seal.ErrUnknownTerm) {
		t.Errorf("a newer term: %v, want ErrUnknownTerm", err)
	}
	check(t, k.Rotate())
	first := mustSeal(t, k, "p", 1, "x")
	first[4] = 1 // says term 1, is of term 2
	if _, err := k.Open(nil, "p", 1, first); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("term altered to one that is there: %v, want ErrWrongKey", err)
	}
}

// The same data key in another cluster, as after a copied disk: the cluster id alone must refuse
// the record.
func TestRecordOfAnotherClusterWithTheSameKey(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	sealed := mustSeal(t, k, "p", 1, "x")
	if _, err := seal.InCluster(k, clusterB).Open(nil, "p", 1, sealed); !errors.Is(err,
		seal.ErrTampered) {
		t.Errorf("opened in another cluster: %v, want ErrTampered", err)
	}
	if _, err := seal.InCluster(k, clusterA).Open(nil, "p", 1, sealed); err != nil {
		t.Errorf("control, the same cluster: %v", err)
	}
}

// Users race with Rotate and Close; each gets its record or ErrSealed, and nothing else.
func TestConcurrentUseUntilClose(t *testing.T) {
	_, _, root := mustInit(t, 1, 1)
	k := mustKeyring(t, root)
	var users sync.WaitGroup
	failed := make(chan error, 8)
	for i := range 4 {
		users.Go(func() { failed <- useUntilSealed(k, fmt.Sprint("path/", i)) })
	}
	for range 5 {
		check(t, k.Rotate())
	}
	k.Close()
	users.Wait()
	close(failed)
	for err := range failed {
		if !errors.Is(err, seal.ErrSealed) {
			t.Error(err)
		}
	}
}

func useUntilSealed(k *seal.Keyring, path string) error {
	for i := uint64(0); ; i++ {
		sealed, err := k.Seal(nil, path, i, []byte(path))
		if err != nil {
			return err
		}
		got, err := k.Open(nil, path, i, sealed)
		if err != nil {
			return err
		}
		if string(got) != path {
			return fmt.Errorf("opened %q, sealed %q", []byte(got), path)
		}
	}
}

func BenchmarkSeal1KiB(b *testing.B) {
	_, _, root := mustInit(b, 1, 1)
	k := mustKeyring(b, root)
	plaintext, dst := make([]byte, 1024), make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Seal(dst, "vault/1/secret/name", 7, plaintext); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen1KiB(b *testing.B) {
	_, _, root := mustInit(b, 1, 1)
	k := mustKeyring(b, root)
	sealed, err := k.Seal(nil, "vault/1/secret/name", 7, make([]byte, 1024))
	check(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open(nil, "vault/1/secret/name", 7, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDo(b *testing.B) {
	for b.Loop() {
		seal.Do(func() {})
	}
}
