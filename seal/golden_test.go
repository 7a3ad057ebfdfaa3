package seal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keyquorum/seal"
)

// -golden makes the files of a new format version. It never overwrites: what was written once
// decodes for ever.
var makeGolden = flag.Bool("golden", false, "write missing golden files")

// What the files of version 1 hold.
const (
	goldenPath      = "vault/0/secret/golden"
	goldenLogical   = 0x0102030405060708
	goldenPlaintext = "sealed once, opened for ever"
)

// golden is one cluster's material in each format, as read from testdata.
type golden struct {
	record   []byte
	lock     []byte
	shares   []seal.Plaintext
	keyring  []byte   // wrapped; terms 1 and 2
	envelope [][]byte // one of term 1, one of term 2
	apart    []byte   // of term 2: goldenPlaintext, cut after seven bytes
	joinMAC  []byte
	public   [][]byte // of term 1, of term 2
	signed   [][]byte // goldenPlaintext, by term 1, by term 2
}

func loadGolden(t fataler) golden {
	t.Helper()
	g := golden{
		record: goldenLines(t, "record")[0], lock: goldenLines(t, "lock")[0],
		keyring:  goldenLines(t, "keyring")[0],
		envelope: goldenLines(t, "envelopes"), apart: goldenLines(t, "apart")[0],
		joinMAC: goldenLines(t, "join-mac")[0],
		public:  goldenLines(t, "public-keys"), signed: goldenLines(t, "signatures"),
	}
	for _, s := range goldenLines(t, "shares") {
		g.shares = append(g.shares, s)
	}
	return g
}

func goldenLines(t fataler, name string) (lines [][]byte) {
	t.Helper()
	b, err := os.ReadFile(goldenFile(name))
	check(t, err)
	for line := range strings.Lines(string(b)) {
		lines = append(lines, unhex(t, strings.TrimSpace(line)))
	}
	return lines
}

func goldenFile(name string) string { return filepath.Join("testdata", "v1", name+".hex") }

// unseal opens the golden cluster with the shares first and first+1.
func (g golden) unseal(t fataler, first int) (*seal.Root, *seal.Keyring) {
	t.Helper()
	record, err := seal.DecodeRecord(g.record)
	check(t, err)
	c := seal.NewCeremony(record)
	for _, s := range g.shares[first : first+2] {
		_, err := c.Add(s)
		check(t, err)
	}
	root, err := c.Open()
	check(t, err)
	k, err := root.UnwrapKeyring(g.keyring)
	check(t, err)
	return root, k
}

func TestGoldenFilesDecode(t *testing.T) {
	if *makeGolden {
		writeGolden(t)
	}
	g := loadGolden(t)
	record, err := seal.DecodeRecord(g.record)
	check(t, err)
	if !bytes.Equal(record.Encode(), g.record) || record.Shares != 3 || record.Threshold != 2 ||
		record.ClusterID != clusterA {
		t.Errorf("record decoded as %+v", record)
	}
	if !bytes.Equal(record.Lock.Encode(), g.lock) {
		t.Errorf("the record's lock is %x", record.Lock.Encode())
	}
	for i, share := range g.shares {
		generation := []byte{0, 0, 0, 0, 0, 0, 0, 1}
		sum := sha256.Sum256(slices.Concat([]byte("keyquorum/v1/share"), clusterA[:], generation, share))
		if got := g.record[31+32*i:][:32]; !bytes.Equal(got, sum[:]) {
			t.Errorf("share %d has the hash %x in the record, want %x", i+1, got, sum)
		}
	}
	for first := range 2 {
		root, k := g.unseal(t, first)
		mac, err := root.JoinMAC([]byte("golden"), []byte("parts"))
		check(t, err)
		if !bytes.Equal(mac, g.joinMAC) {
			t.Errorf("join MAC %x, want %x", mac, g.joinMAC)
		}
		for i, e := range g.envelope {
			got, err := k.Open(nil, goldenPath, goldenLogical, e)
			if err != nil || string(got) != goldenPlaintext {
				t.Errorf("envelope of term %d: %q, %v", i+1, []byte(got), err)
			}
		}
		g.opensApart(t, k)
		g.signs(t, k)
	}
}

func (g golden) opensApart(t *testing.T, k *seal.Keyring) {
	t.Helper()
	both, err := k.Open(nil, goldenPath, goldenLogical, g.apart)
	if err != nil || string(both) != goldenPlaintext {
		t.Errorf("both parts: %q, %v", []byte(both), err)
	}
	first, err := k.OpenFirst(nil, goldenPath, goldenLogical, g.apart)
	if err != nil || string(first) != goldenPlaintext[:7] {
		t.Errorf("the first part: %q, %v", []byte(first), err)
	}
}

// signs tells whether k signs as it did when the files were written: Ed25519 draws nothing at
// random.
func (g golden) signs(t *testing.T, k *seal.Keyring) {
	t.Helper()
	for i := range g.signed {
		term := uint32(i + 1)
		public, _ := k.Public(term)
		signature, err := k.SignUnder(term, []byte(goldenPlaintext))
		check(t, err)
		if !bytes.Equal(public, g.public[i]) || !bytes.Equal(signature, g.signed[i]) {
			t.Errorf("term %d: public key %x, signature %x", term, public, signature)
		}
	}
}

func writeGolden(t *testing.T) {
	record, shares, root := mustInit(t, 3, 2)
	k := mustKeyring(t, root)
	first := mustSeal(t, k, goldenPath, goldenLogical, goldenPlaintext)
	check(t, k.Rotate())
	second := mustSeal(t, k, goldenPath, goldenLogical, goldenPlaintext)
	apart := mustSealApart(t, k, goldenPath, goldenLogical, goldenPlaintext[:7], goldenPlaintext[7:])
	wrapped, err := root.WrapKeyring(k)
	check(t, err)
	mac, err := root.JoinMAC([]byte("golden"), []byte("parts"))
	check(t, err)
	var public, signed [][]byte
	for term := range uint32(2) {
		key, _ := k.Public(term + 1)
		signature, err := k.SignUnder(term+1, []byte(goldenPlaintext))
		check(t, err)
		public, signed = append(public, key), append(signed, signature)
	}
	check(t, os.MkdirAll(filepath.Dir(goldenFile("x")), 0o755))
	for name, lines := range map[string][][]byte{
		"record": {record.Encode()}, "lock": {record.Lock.Encode()},
		"shares":  {shares[0], shares[1], shares[2]},
		"keyring": {wrapped}, "envelopes": {first, second}, "apart": {apart}, "join-mac": {mac},
		"public-keys": public, "signatures": signed,
	} {
		f, err := os.OpenFile(goldenFile(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		check(t, err)
		for _, line := range lines {
			_, err := fmt.Fprintln(f, hex.EncodeToString(line))
			check(t, err)
		}
		check(t, f.Close())
	}
}
