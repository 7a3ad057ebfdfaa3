package vault

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// -golden makes the file of a new format version. It never overwrites: what was written once
// decodes for ever.
var makeGolden = flag.Bool("golden", false, "write golden files that are not there")

var (
	goldenTime       = int64(1_800_000_000)
	goldenAttributes = storedAttributes{Enabled: true, NotBefore: &goldenTime, Created: goldenTime,
		Updated: goldenTime + 1}
)

// goldenRecords is one of each stored shape at least. New rows go last: lines of the file are told
// by their place.
var goldenRecords = []struct {
	meta   any
	tail   string
	decode shape
}{
	{&vaultRecord1{ID: strings.Repeat("0a", 16), Name: "demo", RetentionDays: 90,
		PurgeProtection: true, Created: goldenTime}, "", whole[vaultRecord1]},
	{&head{Name: "Db-Password", Current: strings.Repeat("0b", 16), State: deleted, Deleted: goldenTime,
		Purge: goldenTime + 7*86400}, "", whole[head]},
	{&principalRecord{ClientID: "c", OID: "o", Name: "web", Enabled: true, Created: goldenTime,
		Credentials: []credentialRecord{{ID: "i", Hash: [32]byte{1, 2, 3}, Created: goldenTime,
			Ends: goldenTime}}}, "", whole[principalRecord]},
	{&appNameRecord{ClientID: "c"}, "", whole[appNameRecord]},
	{&accessRecord{ClientID: "c", Keys: []string{"get", "wrapKey"}, Secrets: []string{"all"}}, "",
		whole[accessRecord]},
	{&tokenRecord{Accessor: "a", DisplayName: "root", Policies: []string{"root"}, Created: goldenTime},
		"", whole[tokenRecord]},
	{&tokenKeysRecord{Keys: []tokenKeyRecord{{ID: "k", Created: goldenTime}}},
		strings.Repeat("k", scalarSize), tailed[tokenKeysRecord]},
	{&secretRecord{Attributes: goldenAttributes, ContentType: "text/plain",
		Tags: map[string]string{"a": "b", "aa": "", "c": "d"}}, "value", tailed[secretRecord]},
	{&secretRecord{}, "", tailed[secretRecord]},
	{&keyRecord1{Attributes: goldenAttributes, Ops: []string{"sign"}, Kty: "EC", Crv: "P-256",
		X: []byte{1}, Y: []byte{2}}, "private", tailed[keyRecord1]},
	{&keyRecord{Attributes: goldenAttributes, Ops: []string{"sign"}, Kty: "EC-HSM", Crv: "P-256",
		X: []byte{1}, Y: []byte{2}, Exportable: true,
		Release: &ReleasePolicy{ContentType: "application/json", Data: []byte("{}"), Immutable: true}},
		"private", tailed[keyRecord]},
	{&rotationRecord{Actions: []LifetimeAction{{Type: "Rotate", AfterCreate: "P30D"},
		{Type: "Notify", BeforeExpiry: "P30D"}}, ExpiryTime: "P90D",
		Created: goldenTime, Updated: goldenTime + 1}, "", whole[rotationRecord]},
	{&backupRecord{Name: "Db-Password", Current: strings.Repeat("0b", 16), Extra: 1,
		Versions: []backupVersion{{ID: strings.Repeat("0b", 16), Size: 2}}},
		"vvx", backedUp},
	{&vaultRecord{ID: strings.Repeat("0a", 16), Name: "demo", RetentionDays: 90, PurgeProtection: true,
		Created: goldenTime,
		State:   deleted, Deleted: goldenTime, Purge: goldenTime + 90*86400, WeakAlgorithms: true}, "",
		whole[vaultRecord]},
	{&indexRecord{}, "", whole[indexRecord]},
}

// Records are written as they always were, and what was ever written is read.
func TestGoldenRecords(t *testing.T) {
	path := filepath.Join("testdata", "v1", "records.hex")
	if _, err := os.Stat(path); os.IsNotExist(err) && *makeGolden {
		writeGolden(t, path)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(file))
	if len(lines) != len(goldenRecords) {
		t.Fatalf("%d lines for %d records", len(lines), len(goldenRecords))
	}
	for i, g := range goldenRecords {
		want, err := hex.DecodeString(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		if got := must1(encodeRecord(g.meta, []byte(g.tail))); !bytes.Equal(got, want) {
			t.Errorf("%T is written as %x, was %x", g.meta, []byte(got), want)
		}
		if again, err := g.decode(want); err != nil || !bytes.Equal(again, want) {
			t.Errorf("%T is not read: %v", g.meta, err)
		}
	}
}

// A vault of the first shape is live, and everything that was allowed in it is.
func TestOldVaultRecord(t *testing.T) {
	old := goldenRecords[0].meta.(*vaultRecord1)
	b := must1(encodeRecord(old, nil))
	r, err := decodeVault(b)
	if err != nil || r.ID != old.ID || r.Name != "demo" || r.RetentionDays != 90 ||
		!r.PurgeProtection || r.Created != goldenTime ||
		r.State != live || r.Deleted != 0 || r.Purge != 0 || !r.WeakAlgorithms {
		t.Fatalf("%+v %v", r, err)
	}
	if b := must1(encodeRecord(r, nil)); b[0] != 0x02 {
		t.Errorf("it is written again as shape %#x", b[0])
	}
	for name, bad := range map[string][]byte{
		"a state that does not exist": must1(encodeRecord(&vaultRecord{State: purging + 1},
			nil)),
		"the old members under the new number": append([]byte{0x02}, b[1:]...),
		"an unknown shape":                     append([]byte{0x03}, b[1:]...),
		"nothing":                              nil,
	} {
		if _, err := decodeVault(bad); err == nil {
			t.Errorf("%s is read as a vault", name)
		}
	}
}

// A key of the first shape is one that can't be exported; it is written again in the newest.
func TestOldKeyRecord(t *testing.T) {
	old := keyRecord1{Attributes: goldenAttributes, Ops: []string{"sign"},
		Tags: map[string]string{"a": "b"}, Kty: "EC", Crv: "P-256",
		N: []byte{1}, E: []byte{2}, X: []byte{3}, Y: []byte{4}}
	b := must1(encodeRecord(&old, []byte("private")))
	r, tail, err := decodeKeyRecord(b)
	want := keyRecord{Attributes: old.Attributes, Ops: old.Ops, Tags: old.Tags, Kty: old.Kty,
		Crv: old.Crv, N: old.N, E: old.E, X: old.X, Y: old.Y}
	if err != nil || !reflect.DeepEqual(*r, want) || string(tail) != "private" {
		t.Fatalf("%+v %q %v", r, tail, err)
	}
	again := must1(encodeRecord(r, tail))
	if r, tail, err := decodeKeyRecord(again); again[0] != 0x02 || err != nil ||
		!reflect.DeepEqual(*r, want) || string(tail) != "private" {
		t.Errorf("written again as %x it is %+v %q %v", []byte(again), r, tail, err)
	}
	for name, bad := range map[string][]byte{
		"the old members under the new number": append([]byte{0x02}, b[1:]...),
		"the new members under the old number": append([]byte{0x01}, again[1:]...),
		"an unknown shape":                     append([]byte{0x03}, b[1:]...),
		"nothing":                              nil,
	} {
		if _, _, err := decodeKeyRecord(bad); err == nil {
			t.Errorf("%s is read as a key", name)
		}
	}
}

func writeGolden(t *testing.T, path string) {
	var b strings.Builder
	for _, g := range goldenRecords {
		b.WriteString(hex.EncodeToString(must1(encodeRecord(g.meta, []byte(g.tail)))) + "\n")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
