package vault

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// The names are checked by hand because they are checked on every request; here is what they mean.
var (
	namePattern    = regexp.MustCompile(`\A[0-9a-zA-Z-]{1,127}\z`)
	versionPattern = regexp.MustCompile(`\A[0-9a-f]{32}\z`)
	vaultPattern   = regexp.MustCompile(`\A[a-z](-?[a-z0-9])*\z`)
	uuidPattern    = regexp.MustCompile(`\A[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\z`)
)

func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "a", "Db-Password", "restore", "reSTORE", strings.Repeat("a", 127),
		strings.Repeat("a", 128), "a/b", "a\n", "ä", "demo",
		"a-b", "a--b", "ab-", strings.Repeat("0", 32), "00000000-0000-4000-8000-000000000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if want := namePattern.MatchString(s) && !strings.EqualFold(s, "restore"); validName(s) != want {
			t.Errorf("validName(%q) is %v", s, !want)
		}
		if want := versionPattern.MatchString(s); validVersion(s) != want {
			t.Errorf("validVersion(%q) is %v", s, !want)
		}
		if want := vaultPattern.MatchString(s) && len(s) >= 3 && len(s) <= 24; validVaultName(s) != want {
			t.Errorf("validVaultName(%q) is %v", s, !want)
		}
		if want := uuidPattern.MatchString(s); validUUID(s) != want {
			t.Errorf("validUUID(%q) is %v", s, !want)
		}
		if validName(s) && (fold(s) != strings.ToLower(s) || !validName(fold(s))) {
			t.Errorf("fold(%q) is %q", s, fold(s))
		}
	})
}

func FuzzPageToken(f *testing.F) {
	f.Add(pageToken("secret", listLive, "a-name"))
	f.Add(pageToken("key", listVersions, strings.Repeat("0", 32)))
	f.Add("AXNs")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		for _, kind := range []string{"secret", "key"} {
			for _, l := range []listing{listLive, listDeleted, listVersions} {
				after, ok := openPageToken(kind, l, token)
				if ok && (pageToken(kind, l, after) != token || !validName(after)) {
					t.Errorf("%q opens to %q", token, after)
				}
			}
		}
	})
}

// A shape is a stored record, as a fuzz target sees it: decoded and encoded again, or an error.
type shape func(b []byte) ([]byte, error)

func whole[M any](b []byte) ([]byte, error) {
	m, err := decodeWhole[M](b)
	if err != nil {
		return nil, err
	}
	return encodeRecord(m, nil)
}

func tailed[M any](b []byte) ([]byte, error) {
	m, tail, err := decodeRecord[M](b)
	if err != nil {
		return nil, err
	}
	return encodeRecord(m, tail)
}

func backedUp(b []byte) ([]byte, error) {
	r, err := decodeBackup(b)
	if err != nil {
		return nil, err
	}
	return encodeRecord(&r.backupRecord, append(r.records, r.extra)...)
}

var shapes = []shape{whole[vaultRecord1], whole[vaultRecord], whole[head], whole[principalRecord],
	whole[appNameRecord], whole[accessRecord], whole[tokenRecord],
	tailed[secretRecord], tailed[keyRecord1], tailed[keyRecord], tailed[tokenKeysRecord],
	whole[rotationRecord], backedUp}

func seeds(f *testing.F) {
	for _, g := range goldenRecords {
		b := must1(encodeRecord(g.meta, []byte(g.tail)))
		f.Add([]byte(b))
		f.Add([]byte(b[:len(b)-1]))
	}
	f.Add([]byte{})
	f.Add([]byte{0x01})
	f.Add([]byte{0x7f, 0x80})
}

// FuzzStoredRecords: whatever decodes encodes back to the same bytes, and no shape lets a decoder
// fall over.
func FuzzStoredRecords(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for i, s := range shapes {
			if again, err := s(b); err == nil && !bytes.Equal(again, b) {
				t.Errorf("shape %d: %x decodes and encodes to %x", i, b, again)
			}
		}
		decodeVault(b)
		decodeGrant(b)
		decodePrincipal(b)
		decodeHead(b)
		decodeTokenKeys(b)
	})
}

// Every seed is one of the shapes: the target reaches its success path.
func TestStoredRecordsDecode(t *testing.T) {
	b, err := encodeRecord(&secretRecord{Tags: map[string]string{"b": "2", "a": "1"}}, []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	r, tail, err := decodeRecord[secretRecord](b)
	if err != nil || string(tail) != "v" || r.Tags["a"] != "1" {
		t.Errorf("%+v %q %v", r, tail, err)
	}
	for _, i := range []int{0, 1, 2} {
		changed := bytes.Clone(b)
		changed[i] ^= 0x20
		if _, _, err := decodeRecord[secretRecord](changed); err == nil {
			t.Errorf("byte %d changed, and it still decodes", i)
		}
	}
	long := append([]byte{0x01, 0x98, 0x03}, b[2:]...) // the array's length in two bytes
	if _, _, err := decodeRecord[secretRecord](long); err != errRecordForm {
		t.Errorf("a second encoding of the same: %v", err)
	}
	if _, err := decodeHead(must1(encodeRecord(&head{State: restoring + 1}, nil))); err == nil {
		t.Error("a head in a state that does not exist")
	}
	if _, err := decodeHead(must1(encodeRecord(&head{}, []byte("x")))); err != errRecordForm {
		t.Error("a head with a tail")
	}
}

func must1[T any](v T, _ error) T { return v }
