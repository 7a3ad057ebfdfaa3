package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"keyquorum/seal"
)

// A safe is a foreign key for tests: it keeps the wrapping keys, and hands out their numbers.
type safe struct{ kept [][]byte }

func (s *safe) wrap(key seal.Plaintext) ([]byte, error) {
	s.kept = append(s.kept, slices.Clone([]byte(key)))
	return []byte{byte(len(s.kept))}, nil
}

func (s *safe) open(wrapped []byte) (seal.Plaintext, error) {
	if len(wrapped) != 1 || wrapped[0] == 0 || int(wrapped[0]) > len(s.kept) {
		return nil, errors.New("no such key")
	}
	return slices.Clone(s.kept[wrapped[0]-1]), nil
}

func (s *safe) mustWrap(t fataler, root *seal.Root, l seal.Lock, name string) seal.Wrapper {
	t.Helper()
	w, err := root.Wrap(l, seal.Wrapper{Name: name, Kind: "safe", About: "for tests"}, s.wrap)
	check(t, err)
	return w
}

// A wrapper gives the root key that the shares give, with the join key, and the list of now is
// vouched for.
func TestWrapperOpensTheRootKey(t *testing.T) {
	record, shares, root := mustInit(t, 3, 2)
	k := mustKeyring(t, root)
	keyring, err := root.WrapKeyring(k)
	check(t, err)
	var s safe
	list := []seal.Wrapper{s.mustWrap(t, root, record.Lock, "one"),
		s.mustWrap(t, root, record.Lock, "two")}
	plain := record
	record, err = root.WithWrappers(record, list)
	check(t, err)
	decoded, err := seal.DecodeRecord(record.Encode())
	check(t, err)
	if decoded != record || !slices.Equal(decoded.Wrappers(), list) || !decoded.Newer(plain) ||
		plain.Newer(decoded) || !decoded.WrappersChanged() {
		t.Errorf("decoded as %v", decoded.Wrappers())
	}
	for _, w := range decoded.Wrappers() {
		opened, err := w.Open(decoded.Lock, s.open)
		check(t, err)
		if err := opened.Vouches(decoded); err != nil || !opened.Equals(root) || !root.Equals(opened) {
			t.Errorf("%s opens something else, or %v", w.Name, err)
		}
		if _, err := opened.UnwrapKeyring(keyring); err != nil {
			t.Errorf("%s does not open the keyring: %v", w.Name, err)
		}
		opened.Close()
		if opened.Equals(root) {
			t.Error("a closed root key equals another")
		}
	}
	c := seal.NewCeremony(decoded)
	for _, share := range shares[1:] {
		_, err := c.Add(share)
		check(t, err)
	}
	if byShares, err := c.Open(); err != nil || !byShares.Equals(root) {
		t.Errorf("beside wrappers the shares open nothing: %v", err)
	}
}

// Whatever somebody without the root key does to the list, it is not vouched for, or it is a list
// that the cluster had before, which is no newer than that of now.
func TestListOfWrappersIsBound(t *testing.T) {
	record, _, root := mustInit(t, 3, 2)
	var s safe
	var lists []seal.Record // that the cluster had, in order
	names := []string{"a", "b", "c", "d"}
	for i := range 5 {
		var list []seal.Wrapper
		for _, name := range names[:i%len(names)] {
			list = append(list, s.mustWrap(t, root, record.Lock, name))
		}
		var err error
		record, err = root.WithWrappers(record, list)
		check(t, err)
		lists = append(lists, record)
	}
	encoded := make([][]byte, len(lists))
	for i, l := range lists {
		encoded[i] = l.Encode()
	}
	// The parts of all lists, put together in another way, under a revision and a word of the root
	// key's that stood beside one of them.
	var parts []seal.Wrapper
	for _, l := range lists {
		parts = append(parts, l.Wrappers()...)
	}
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom(lists).Draw(t, "from")
		picked := rapid.SliceOfN(rapid.SampledFrom(parts), 0, 4).Draw(t, "wrappers")
		slices.SortFunc(picked, func(a, b seal.Wrapper) int { return strings.Compare(a.Name, b.Name) })
		forged, err := seal.Relist(from, rapid.Uint64Range(0, 6).Draw(t, "revision"), picked)
		if err != nil {
			return
		}
		decoded, err := seal.DecodeRecord(forged.Encode())
		if err != nil {
			return
		}
		own := slices.ContainsFunc(encoded, func(e []byte) bool {
			return bytes.Equal(e, decoded.Encode())
		})
		if vouched := root.Vouches(decoded) == nil; vouched != own {
			t.Fatalf("vouched %t, the cluster's own %t", vouched, own)
		}
		if own && decoded.Newer(record) {
			t.Fatal("an older list is taken for the newest")
		}
	})
}

// A wrapper goes with its own lock and its own description, and with no other wrapping key.
func TestWrapperIsBound(t *testing.T) {
	r := mustRekey(t, 3, 2)
	var s safe
	w := s.mustWrap(t, r.roots[0], r.records[0].Lock, "one")
	if _, err := w.Open(r.records[1].Lock, s.open); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("it opens under the lock of other shares: %v", err)
	}
	for what, change := range map[string]func(*seal.Wrapper){
		"name":        func(w *seal.Wrapper) { w.Name = "two" },
		"kind":        func(w *seal.Wrapper) { w.Kind = "age" },
		"description": func(w *seal.Wrapper) { w.About = "" },
	} {
		other := w
		change(&other)
		if _, err := other.Open(r.records[0].Lock, s.open); !errors.Is(err, seal.ErrTampered) {
			t.Errorf("it opens under another %s: %v", what, err)
		}
	}
	for what, key := range map[string][]byte{"another": make([]byte, 32), "no": nil} {
		give := func([]byte) (seal.Plaintext, error) { return key, nil }
		if root, err := w.Open(r.records[0].Lock, give); err == nil || root != nil {
			t.Errorf("it opens with %s wrapping key", what)
		}
	}
	if _, err := r.roots[1].Wrap(r.records[0].Lock, w, s.wrap); err == nil {
		t.Error("a root key is wrapped for the lock of others")
	}
	if _, err := r.roots[1].WithWrappers(r.records[0], []seal.Wrapper{w}); err == nil {
		t.Error("a root key vouches for the record of others")
	}
	listed, err := r.roots[0].WithWrappers(r.records[0], []seal.Wrapper{w})
	check(t, err)
	if err := r.roots[1].Vouches(listed); err == nil {
		t.Error("a root key vouches for the list of others")
	}
}

func TestWrappersThatCanNotBe(t *testing.T) {
	record, _, root := mustInit(t, 1, 1)
	var s safe
	for _, w := range []seal.Wrapper{
		{Name: "", Kind: "k"}, {Name: "A", Kind: "k"}, {Name: strings.Repeat("a", 65), Kind: "k"},
		{Name: "a", Kind: ""}, {Name: "a", Kind: "k", About: "two\nlines"},
	} {
		if _, err := root.Wrap(record.Lock, w, s.wrap); !errors.Is(err, seal.ErrWrapperFields) {
			t.Errorf("%+v: %v", w, err)
		}
	}
	w := s.mustWrap(t, root, record.Lock, "a")
	for _, list := range [][]seal.Wrapper{{w, w}, make([]seal.Wrapper, 9)} {
		if _, err := root.WithWrappers(record, list); !errors.Is(err, seal.ErrWrapperFields) {
			t.Errorf("%d wrappers: %v", len(list), err)
		}
	}
	long := func(seal.Plaintext) ([]byte, error) { return make([]byte, 5000), nil }
	if _, err := root.Wrap(record.Lock, w, long); !errors.Is(err, seal.ErrWrapperFields) {
		t.Errorf("5000 bytes of a foreign key: %v", err)
	}
	if same, err := root.BeginWrappers(record, nil); err != nil || same != record {
		t.Errorf("a record without wrappers is another one: %v", err)
	}
}

// goldenWrapped is the record of the golden cluster with one wrapper, and its wrapping key.
func goldenWrapped(t fataler, g golden) (encoded, key []byte) {
	t.Helper()
	const name = "record-wrappers"
	if _, err := os.Stat(goldenFile(name)); *makeGolden && err != nil {
		root, _ := g.unseal(t, 0)
		record, err := seal.DecodeRecord(g.record)
		check(t, err)
		var s safe
		w := s.mustWrap(t, root, record.Lock, "golden")
		record, err = root.WithWrappers(record, []seal.Wrapper{w})
		check(t, err)
		text := fmt.Sprintf("%s\n%s\n", hex.EncodeToString(record.Encode()),
			hex.EncodeToString(s.kept[0]))
		check(t, os.WriteFile(goldenFile(name), []byte(text), 0o644))
	}
	lines := goldenLines(t, name)
	return lines[0], lines[1]
}

func TestGoldenWrapperOpens(t *testing.T) {
	g := loadGolden(t)
	encoded, key := goldenWrapped(t, g)
	record, err := seal.DecodeRecord(encoded)
	check(t, err)
	root, _ := g.unseal(t, 0)
	opened, err := record.Wrappers()[0].Open(record.Lock, func([]byte) (seal.Plaintext, error) {
		return slices.Clone(key), nil
	})
	check(t, err)
	if !opened.Equals(root) || opened.Vouches(record) != nil || !bytes.Equal(record.Encode(), encoded) {
		t.Error("the golden wrapper opens something else")
	}
}

func FuzzRecordWithWrappers(f *testing.F) {
	g := loadGolden(f)
	genuine, key := goldenWrapped(f, g)
	root, _ := g.unseal(f, 0)
	f.Add(genuine)
	f.Add(genuine[:len(genuine)-1])
	f.Add(g.record)
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
		for _, w := range record.Wrappers() {
			_, _ = w.Open(record.Lock, func([]byte) (seal.Plaintext, error) {
				return slices.Clone(key), nil
			})
		}
		if len(record.Wrappers()) > 0 && (root.Vouches(record) == nil) != bytes.Equal(b, genuine) {
			t.Fatalf("vouched for %x", b)
		}
	})
}
