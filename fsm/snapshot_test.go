package fsm_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// sample is a state with a part of every kind; its snapshot was written to testdata/snapshot_v1 by
// the first release and is never rewritten.
func sample(t failer) *fsm.FSM {
	f := newFSM(t)
	f.ApplyBatch([]*raft.Log{
		configuration(1, raft.Server{ID: "n1", Address: "10.0.0.1:8201"},
			raft.Server{ID: "n2", Address: "10.0.0.2:8201", Suffrage: raft.Nonvoter}),
		command(t, 3, create(1, 1, "vault/a/secret/x", "one")),
		command(t, 4, create(2, 1, "vault/a/secret/x", "refused")),
		command(t, 5, create(3, 4, "vault/a/key/ä", "")),
		command(t, 6, replace(4, 5, "vault/a/secret/x", 3, "two")),
		command(t, 9, fsm.Txn{ID: id(5), Base: 8, Generation: 1}),
		command(t, 10, create(6, 9, "sys/note", "clear")),
		command(t, 11, remove(7, 10, "vault/a/key/ä", 5)),
		command(t, 12, fsm.Txn{ID: id(8), Base: 12}),
	})
	return f
}

const sampleDigest = "8b8081819afd6fe59626093a6a737fe871e013e3b0c0264c6772c55d89e59642"

func TestGoldenSnapshot(t *testing.T) {
	file, err := os.ReadFile("testdata/snapshot_v1")
	if err != nil {
		t.Fatal(err)
	}
	f := restored(t, file)
	digest := f.View().Digest()
	if got := hex.EncodeToString(digest[:]); got != sampleDigest {
		t.Errorf("digest %s, want %s", got, sampleDigest)
	}
	requireSame(t, f, sample(t))
	if !bytes.Equal(snapshotOf(t, f), file) {
		t.Errorf("restored and written again it is another file")
	}
	if d, ok := f.DigestAt(12); !ok || d != digest {
		t.Errorf("no digest right after a restore")
	}
	if o, ok := f.View().Outcome(id(2)); !ok ||
		o != (fsm.Outcome{Kind: fsm.Conflict, Index: 4, Path: "vault/a/secret/x", At: 3}) {
		t.Errorf("the refusal is now %+v, %v", o, ok)
	}
	if c, index := f.View().Configuration(); index != 1 || len(c.Servers) != 2 ||
		c.Servers[1].Suffrage != raft.Nonvoter {
		t.Errorf("the configuration is now %v at %d", c, index)
	}
}

// A snapshot is of the state when it was asked for, whatever is applied while it is written.
func TestSnapshotStandsStill(t *testing.T) {
	f := sample(t)
	want := snapshotOf(t, f)
	s, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for i := range byte(100) {
		f.Apply(command(t, 20+uint64(i), create(100+i, 19, fmt.Sprint("vault/a/secret/", i), "later")))
	}
	f.Apply(command(t, 200, replace(99, 199, "vault/a/secret/x", 6, "later")))
	var to sink
	if err := s.Persist(&to); err != nil || !bytes.Equal(to.Bytes(), want) {
		t.Fatalf("the snapshot has changed: %v", err)
	}
}

func TestAnyDamageIsFound(t *testing.T) {
	good := snapshotOf(t, sample(t))
	f := sample(t)
	f.Apply(command(t, 13, create(9, 12, "later", "x")))
	before := f.View()
	for i := range good {
		for _, bad := range [][]byte{good[:i], append(bytes.Clone(good[:i]), good[i+1:]...),
			flipped(good, i)} {
			if i == 8 && len(bad) > 8 {
				continue // the version, which stops the node
			}
			if err := restore(f, bad); err == nil {
				t.Fatalf("damage at byte %d was not found", i)
			}
		}
	}
	if err := restore(f, append(bytes.Clone(good), 0)); err == nil {
		t.Fatalf("a byte too many was not found")
	}
	if f.View() != before {
		t.Fatalf("a failed restore changed the state")
	}
	f.Apply(command(t, 14, create(10, 13, "later/too", "x")))
	requireRecomputed(t, f.View())
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// Somebody who makes checksum and digest anew still can't say what no FSM would.
func TestAlteredSnapshots(t *testing.T) {
	good := string(snapshotOf(t, sample(t)))
	u64 := func(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }
	text := func(s string) string {
		return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) +
			s
	}
	head := good[:25]
	seal := "R" + text("sys/note") + u64(9) + u64(10) + "\x00\x00\x00\x05clear"
	x := "R" + text("vault/a/secret/x") + u64(3) + u64(6) + "\x00\x00\x00\x03two"
	keys := "D" + text("vault/a/key/") + u64(11)
	first := "I" + u64(3) + string(make([]byte, 15)) + "\x01" + "\x01" + u64(0) + text("")
	for _, part := range []string{seal, x, keys, first} {
		if !strings.Contains(good, part) {
			t.Fatalf("the sample has no part %q", part)
		}
	}
	for _, c := range []struct{ name, from, to, want string }{
		{"only made anew", "two", "six", ""},
		{"records out of order", seal + x, x + seal, "out of order"},
		{"a record twice", seal, seal + seal, "out of order"},
		{"a record with a bad path", "sys/note", "sys//eal", "empty name"},
		{"a record of the future", u64(9) + u64(10), u64(9) + u64(13), "mod index 13"},
		{"a record of no time", u64(9) + u64(10), u64(9) + u64(0), "mod index 0"},
		{"a logical version that is not older", u64(9) + u64(10), u64(10) + u64(10),
			"logical version 10"},
		{"a record after directories", keys, keys + seal, "'R' after 'D'"},
		{"an unknown element", keys, "X" + keys, "'X' after"},
		{"two configurations", seal, "C" + u64(0) + text("") + seal, "'C' after"},
		{"no configuration", head + "C", head + "K", "where the configuration should be"},
		{"a configuration of the future", head + "C" + u64(1), head + "C" + u64(13),
			"index 13, the state 12"},
		{"a configuration of no time", head + "C" + u64(1), head + "C" + u64(0), "index 0, the state 12"},
		{"an unknown suffrage", "\x01" + text("n2"), "\x07" + text("n2"), "suffrage 7"},
		{"a server's long name", text("n2"), text(strings.Repeat("n", 1025)), "length of 1025"},
		{"too many servers", head + "C" + u64(1) + "\x00\x02", head + "C" + u64(1) + "\xff\xff",
			"at most 1024"},
		{"a path too long", text("sys/note"), text(strings.Repeat("s", 513)), "length of 513"},
		{"a value too long", "\x00\x00\x00\x05clear", "\xff\xff\xff\xffclear", "length of 4294967295"},
		{"a directory without its slash", keys, "D" + text("vault/a/key") + u64(11), "slash"},
		{"a directory twice", keys, keys + keys, "out of order"},
		{"a directory of no time", keys, "D" + text("vault/a/key/") + u64(0), "index 0"},
		{"a directory of the future", keys, "D" + text("vault/a/key/") + u64(13), "index 13"},
		{"a directory that a refusal changed", keys, "D" + text("vault/a/key/") + u64(4),
			"where nothing was applied"},
		{"a directory that nothing changed", keys, "D" + text("vault/a/key/") + u64(7),
			"where nothing was applied"},
		{"an outcome of the future", first, strings.Replace(first, u64(3), u64(13), 1), "index 13"},
		{"an outcome twice", first, first + first, "out of order"},
		{"an id twice", first, strings.Replace(first, u64(3), u64(2), 1) + first,
			"not the first of its kind"},
		{"an outcome of no id", first,
			"I" + u64(3) + string(make([]byte, 16)) + "\x01" + u64(0) + text(""), "zero"},
		{"an unknown outcome", first, strings.Replace(first, "\x01"+u64(0), "\x05"+u64(0), 1),
			"makes no sense"},
		{"a success with a place", first, strings.Replace(first, "\x01"+u64(0), "\x01"+u64(1), 1),
			"makes no sense"},
		{"a conflict without a path", first, strings.Replace(first, "\x01"+u64(0), "\x02"+u64(0), 1),
			"makes no sense"},
		{"a wrong count", "E" + u64(2), "E" + u64(3), "counts 3 elements 'R' where there were 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Count(good, c.from) != 1 {
				t.Fatalf("%q is %d times in the sample", c.from, strings.Count(good, c.from))
			}
			altered := reseal([]byte(strings.Replace(good, c.from, c.to, 1)))
			requireError(t, restore(newFSM(t), altered), c.want)
		})
	}
	t.Run("outcomes further back than the window", func(t *testing.T) {
		head := []byte(good[:25])
		binary.BigEndian.PutUint64(head[9:], 12+fsm.IDWindow)
		requireError(t, restore(newFSM(t), reseal([]byte(string(head)+good[25:]))), "in a state of index")
	})
	t.Run("a digest of another state", func(t *testing.T) {
		altered := checksummed([]byte(strings.Replace(good, "two", "six", 1)))
		requireError(t, restore(newFSM(t), altered), "it was altered")
	})
	t.Run("another kind of file", func(t *testing.T) {
		requireError(t, restore(newFSM(t), []byte("PK\x03\x04 and so on")),
			"not as a snapshot of Keyquorum")
	})
}

func TestNewerSnapshotStopsTheNode(t *testing.T) {
	b := snapshotOf(t, sample(t))
	b[8] = 2
	var fatal []error
	f := free(fsm.Options{OnFatal: func(err error) { fatal = append(fatal, err) }})
	err := restore(f, b)
	requireError(t, err,
		"format version 2 was written by another release of Keyquorum; this one reads version 1 only")
	if len(fatal) != 1 || !errors.Is(fatal[0], err) {
		t.Fatalf("OnFatal was told %v", fatal)
	}
	if result := f.Apply(command(t, 1, fsm.Txn{ID: id(1)})); result == nil || f.View().Index() != 0 {
		t.Fatalf("it went on: %v", result)
	}
}

// A sink that fails at some byte: the error comes out.
type brokenSink struct {
	sink
	left int
}

func (s *brokenSink) Write(b []byte) (int, error) {
	if s.left -= len(b); s.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

func TestPersistTellsOfAFailedWrite(t *testing.T) {
	f := sample(t)
	f.Apply(command(t, 13, create(9, 12, "large", strings.Repeat("v", 200_000))))
	for left := 0; left < len(snapshotOf(t, f)); left += 10_000 {
		s, err := f.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		requireError(t, s.Persist(&brokenSink{left: left}), "disk full")
	}
}

// FuzzSnapshot mends checksum and digest, so that what is altered before them is looked at, too.
func FuzzSnapshot(f *testing.F) {
	f.Add(snapshotOf(f, newFSM(f)))
	f.Add(snapshotOf(f, sample(f)))
	f.Add(persisted(f, sample(f)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, reseal(b)} {
			machine := free(fsm.Options{OnFatal: func(error) {}})
			if restore(machine, b) != nil {
				continue
			}
			requireRecomputed(t, machine.View())
			again := persisted(t, machine) // shorter, where a state in the tail was vouched for
			if len(again) > len(b) || len(again) == len(b) && !bytes.Equal(again, b) {
				t.Fatalf("%x restores, but is written as %x", b, again)
			}
			requireSame(t, machine, restored(t, again))
		}
	})
}
