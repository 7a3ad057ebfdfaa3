package fsm_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// goldenTxns are written down in testdata/txn_v1.txt in the order of this list. That file is never
// rewritten: a release that can't read a line of it can't read the logs out there.
var goldenTxns = []struct {
	name string
	txn  fsm.Txn
}{
	{"opening", fsm.Txn{ID: id(1), Base: 7}},
	{"create", create(2, 41, "vault/0af7/secret/pässword", "\x01sealed")},
	{"replace", replace(3, 1<<32, "vault/0af7/secret/a", 300, "")},
	{"delete", remove(4, 300, "vault/0af7/secret/a", 24)},
	{"change", fsm.Txn{ID: id(5), Base: 9, Verb: fsm.Change,
		Conditions: []fsm.Condition{{Kind: fsm.Unchanged, Path: fsm.PathMembers, Index: 1}},
		Writes:     []fsm.Write{{Path: fsm.PathMembers, Logical: 1, Value: []byte("who")}}}},
	{"checkpoint", fsm.Txn{ID: id(6), Base: 10, Verb: fsm.Checkpoint}},
	{"everything", fsm.Txn{ID: fsm.ID(bytes.Repeat([]byte{0xff}, 16)), Base: 1<<64 - 1, Generation: 3,
		Digest: [32]byte(bytes.Repeat([]byte{5}, 32)),
		Conditions: []fsm.Condition{
			{Kind: fsm.Unchanged, Path: "a/b", Index: 1<<64 - 1},
			{Kind: fsm.DirUnchanged, Path: "a/", Index: 0},
			{Kind: fsm.Absent, Path: "a/c"},
		},
		Writes: []fsm.Write{
			{Path: "a/b", Delete: true},
			{Path: "a/c", Logical: 1<<64 - 1, Value: bytes.Repeat([]byte{7}, 300)},
		}}},
}

func TestGoldenTransactions(t *testing.T) {
	file, err := os.ReadFile("testdata/txn_v1.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	if len(lines) != len(goldenTxns) {
		t.Fatalf("%d lines for %d transactions", len(lines), len(goldenTxns))
	}
	for i, g := range goldenTxns {
		name, text, _ := strings.Cut(lines[i], " ")
		b, err := hex.DecodeString(text)
		if err != nil || name != g.name {
			t.Fatalf("line %d: %q, %v", i, name, err)
		}
		if encoded, err := g.txn.Sign(key); err != nil || !bytes.Equal(encoded, b) {
			t.Errorf("%s encodes to %x, %v", name, encoded, err)
		}
		decoded, err := fsm.DecodeTxn(b)
		if err != nil || fmt.Sprint(decoded) != fmt.Sprint(g.txn) {
			t.Errorf("%s decodes to %v, %v", name, decoded, err)
		}
	}
}

// Every field, of a later release too, must survive: a field that the codec forgot fails here.
func TestEncodingKeepsEveryField(t *testing.T) {
	var requireSet func(v reflect.Value, name string)
	requireSet = func(v reflect.Value, name string) {
		for i := range v.NumField() {
			f, field := v.Field(i), v.Type().Field(i)
			if field.Name == "_" {
				continue
			}
			if f.IsZero() {
				t.Errorf("%s.%s is not set in any part of the test's transaction", name, field.Name)
			}
			if f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct {
				requireSet(f.Index(0), name+"."+field.Name)
			}
		}
	}
	x := replace(1, 9, fsm.PathMembers, 8, "value")
	x.Generation, x.Digest, x.Verb = 2, [32]byte{7}, fsm.Change
	b, err := x.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	back, err := fsm.DecodeTxn(b)
	if err != nil || fmt.Sprint(back) != fmt.Sprint(x) {
		t.Fatalf("got %v, %v, want %v", back, err, x)
	}
	back.Writes[0].Delete = true // no put is a delete
	requireSet(reflect.ValueOf(back), "Txn")
}

// TestPathsNeedNoUnicodeTable: which characters a path may have is written down, here and in
// docs/formats-fsm.md, and is the same whatever Go a node was built with.
func TestPathsNeedNoUnicodeTable(t *testing.T) {
	var refused []string
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) || r == '/' || fsm.ValidPath("a"+string(r)+"b") == nil {
			continue
		}
		first := r
		for r < utf8.MaxRune && fsm.ValidPath("a"+string(r+1)+"b") != nil {
			r++
		}
		refused = append(refused, fmt.Sprintf("%04X-%04X", first, r))
	}
	want := []string{"0000-001F", "007F-009F", "200E-200F", "2028-202E", "2066-2069"}
	if !slices.Equal(refused, want) {
		t.Errorf("no path has %v, where the format says %v", refused, want)
	}
	for _, surrogate := range []string{"\xed\xa0\x80", "\xed\xbf\xbf"} {
		if fsm.ValidPath(surrogate) == nil {
			t.Errorf("a path of %x is accepted", surrogate)
		}
	}
}

func TestInvalidTransactions(t *testing.T) {
	long := strings.Repeat("x", 511)
	many := func(n int) fsm.Txn {
		x := fsm.Txn{ID: id(1)}
		for i := range n {
			x.Conditions = append(x.Conditions, fsm.Condition{Kind: fsm.Absent, Path: fmt.Sprint("p", i)})
			x.Writes = append(x.Writes, fsm.Write{Path: fmt.Sprint("p", i)})
		}
		return x
	}
	onPath := func(path string) fsm.Txn { return create(1, 5, path, "v") }
	inDirectory := func(path string) fsm.Txn {
		return fsm.Txn{ID: id(1), Conditions: []fsm.Condition{{Kind: fsm.DirUnchanged, Path: path}}}
	}
	with := func(change func(*fsm.Txn)) fsm.Txn {
		x := replace(1, 5, "a/b", 3, "v")
		change(&x)
		return x
	}
	for _, c := range []struct {
		name string
		txn  fsm.Txn
		want string // in the error; "" for none
	}{
		{"64 of each", many(64), ""},
		{"65 of each", many(65), "more than 64"},
		{"no id", fsm.Txn{}, "no id"},
		{"a path of 512 bytes", onPath(long + "x"), ""},
		{"a path of 513 bytes", onPath(long + "xx"), "too long"},
		{"a directory of 512 bytes", inDirectory(long + "/"), ""},
		{"a directory of 513 bytes", inDirectory(long + "x/"), "too long"},
		{"an empty path", onPath(""), "empty"},
		{"a leading slash", onPath("/a"), "empty name"},
		{"a trailing slash", onPath("a/"), "empty name"},
		{"a double slash", onPath("a//b"), "empty name"},
		{"not UTF-8", onPath("a\xff"), "not UTF-8"},
		{"a control character", onPath("a\x00b"), "no path has"},
		{"a line separator", onPath("a\u2028b"), "no path has"},
		{"letters of any kind, and spaces", onPath("ä 字/🔑"), ""},
		{"a directory without its slash", inDirectory("a"), "slash"},
		{"a directory of a slash", inDirectory("/"), "empty"},
		{"a directory with a double slash", inDirectory("a//"), "empty name"},
		{"a kind that does not exist", with(func(x *fsm.Txn) { x.Conditions[0].Kind = 4 }), "kind 4"},
		{"a kind of zero", with(func(x *fsm.Txn) { x.Conditions[0].Kind = 0 }), "kind 0"},
		{"unchanged since never", with(func(x *fsm.Txn) { x.Conditions[0].Index = 0 }), "no index"},
		{"unchanged since after the base", with(func(x *fsm.Txn) { x.Base = 2 }), "above the base"},
		{"absent with an index", with(func(x *fsm.Txn) { x.Conditions[0].Kind = fsm.Absent }),
			"has an index"},
		{"a condition twice",
			with(func(x *fsm.Txn) { x.Conditions = append(x.Conditions, x.Conditions[0]) }),
			"two conditions"},
		{"unchanged and absent", with(func(x *fsm.Txn) {
			x.Conditions = append(x.Conditions, fsm.Condition{Kind: fsm.Absent, Path: "a/b"})
		}), "two conditions"},
		{"a write twice", with(func(x *fsm.Txn) { x.Writes = append(x.Writes, x.Writes[0]) }),
			"two writes"},
		{"a put and a delete",
			with(func(x *fsm.Txn) { x.Writes = append(x.Writes, fsm.Write{Path: "a/b", Delete: true}) }),
			"two writes"},
		{"a put without a condition", with(func(x *fsm.Txn) { x.Conditions = nil }),
			"without a condition"},
		{"a put to a directory", with(func(x *fsm.Txn) {
			x.Conditions[0] = fsm.Condition{Kind: fsm.DirUnchanged, Path: "a/"}
			x.Writes[0].Path = "a/"
		}), "without a condition"},
		{"a put sealed for another version", with(func(x *fsm.Txn) { x.Writes[0].Logical = 4 }),
			"logical version 4 of \"a/b\" should be 3"},
		{"a creation sealed for another base",
			func() fsm.Txn { x := onPath("a"); x.Writes[0].Logical = 4; return x }(), "should be 5"},
		{"a delete without a condition",
			with(func(x *fsm.Txn) { *x = remove(1, 5, "a/b", 3); x.Conditions = nil }),
			"without its mod index"},
		{"a delete of what is absent",
			with(func(x *fsm.Txn) { *x = onPath("a"); x.Writes[0] = fsm.Write{Path: "a", Delete: true} }),
			"without its mod index"},
		{"a delete with a value",
			with(func(x *fsm.Txn) { x.Writes[0].Delete, x.Writes[0].Logical = true, 0 }), "with a value"},
		{"a delete with a logical version",
			with(func(x *fsm.Txn) { x.Writes[0].Delete, x.Writes[0].Value = true, nil }), "with a value"},
		{"too large", create(1, 5, "a", strings.Repeat("v", fsm.MaxTxnBytes)), "more than 1048576"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.txn.Sign(key)
			requireError(t, err, c.want)
			if c.want == "" {
				_, err = fsm.DecodeTxn(b)
				requireError(t, err, "")
				return
			}
			// The receiver must not trust the sender to have looked. Two of these the library sees first.
			_, err = fsm.DecodeTxn(fsm.Unchecked(c.txn, key))
			if err == nil || !strings.Contains(err.Error(), "transaction: cbor:") {
				requireError(t, err, c.want)
			}
		})
	}
}

func requireError(t testing.TB, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Fatalf("got error %v, want %q", err, want)
	}
}

// Each of these is a way to write an empty transaction that is not the one way.
func TestOtherEncodings(t *testing.T) {
	zeros := strings.Repeat("00", 32)
	head := "01" + "87" + "5001" + zeros[34:] + "00" + "5820" + zeros + "00" + "00"
	opening := head + "80" + "80"
	decode := func(body string) (fsm.Txn,
		error) {
		return fsm.DecodeTxn(fsm.Envelope(unhex(t, body), key))
	}
	if _, err := decode(opening); err != nil {
		t.Fatalf("the one way: %v", err)
	}
	in := func(from, to string) string { return strings.Replace(opening, from, to, 1) }
	for name, text := range map[string]string{
		"nothing":                   "",
		"only a version":            "01",
		"trailing byte":             opening + "00",
		"cut short":                 opening[:len(opening)-2],
		"null for a list":           head + "f6" + "80",
		"a number in its long form": head[:len(head)-4] + "1800" + "00" + "80" + "80",
		"a float for a number":      head[:len(head)-4] + "f90000" + "00" + "80" + "80",
		"a negative number":         head[:len(head)-4] + "20" + "00" + "80" + "80",
		"a list of unknown length":  head + "9fff" + "80",
		"an id of 15 bytes":         in("5001"+zeros[34:], "4f01"+zeros[36:]),
		"an id of 17 bytes":         in("5001"+zeros[34:], "5101"+zeros[32:]),
		"an id as a list":           in("5001"+zeros[34:], "9001"+zeros[34:]),
		"a digest of 31 bytes":      in("5820"+zeros, "581f"+zeros[2:]),
		"a verb of two bytes":       head[:len(head)-2] + "190100" + "80" + "80",
		"a verb that nobody knows":  head[:len(head)-2] + "05" + "80" + "80",
		"six fields":                strings.Replace(head, "0187", "0186", 1) + "80",
		"eight fields":              in("0187", "0188") + "00",
		"a map":                     "01" + "a0",
		"a tag":                     "01" + "c1" + opening[2:],
		"a list of four billion":    head + "9affffffff",
		"a value of an exabyte": head + "80" + "81" + "84" + "6161" + "f4" + "00" +
			"5b0fffffffffffffff",
		"a list deep in itself":          "01" + strings.Repeat("81", 1000),
		"text that is a string of bytes": head + "81" + "83" + "02" + "4161" + "00" + "80",
	} {
		if x, err := decode(text); err == nil {
			t.Errorf("%s decodes to %v", name, x)
		}
	}
}

func unhex(t testing.TB, text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzTxn(f *testing.F) {
	for _, g := range goldenTxns {
		b, err := g.txn.Sign(key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Add(fsm.Unchecked(fsm.Txn{}, key))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := fsm.DecodeTxn(b)
		if err != nil {
			return
		}
		body := b[68:]
		if again, err := x.Sign(key); err != nil || !bytes.Equal(again[68:], body) {
			t.Fatalf("%x decodes, but encodes to %x, %v", b, again, err)
		}
		b = fsm.Envelope(body, key) // a good signature: what follows looks at the rest
		machine := newFSM(t)
		machine.Apply(&raft.Log{Index: x.Base + 1, Type: raft.LogCommand, Data: b})
		requireRecomputed(t, machine.View())
		requireSame(t, machine, restored(t, snapshotOf(t, machine)))
	})
}
