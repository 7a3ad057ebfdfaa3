package node

import (
	"bytes"
	"crypto/ecdsa"
	"testing"
	"time"

	"keyquorum/cluster/identity"
)

// Whatever the last crash left of a change of the node's key, the folder has the key of its
// certificate, and a key that was in use before is never one that is to come.
func TestNodeKeyFiles(t *testing.T) {
	authority, err := identity.NewAuthority("00112233445566778899aabbccddeeff", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	make := func() (*ecdsa.PrivateKey, []byte) {
		key, csr, err := identity.NewRequest()
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := authority.Sign(csr, "00112233445566778899aabbccddeeff",
			"0123456789abcdef0123456789abcdef", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return key, certificate
	}
	old, oldCertificate := make()
	fresh, freshCertificate := make()
	for name, c := range map[string]struct {
		keys           []*ecdsa.PrivateKey
		certificate    []byte
		next, current  *ecdsa.PrivateKey
		notOfThisNodes bool
	}{
		"before": {[]*ecdsa.PrivateKey{old}, oldCertificate, nil, old, false},
		"the new key is written": {[]*ecdsa.PrivateKey{fresh, old}, oldCertificate, fresh, old,
			false},
		"its certificate is written": {[]*ecdsa.PrivateKey{fresh, old}, freshCertificate, nil,
			fresh, false},
		"the old key is gone": {[]*ecdsa.PrivateKey{fresh}, freshCertificate, nil, fresh,
			false},
		"a certificate of neither of them": {[]*ecdsa.PrivateKey{old}, freshCertificate, nil, nil, true},
		"no key":                           {nil, freshCertificate, nil, nil, true},
	} {
		b, err := encodeKeys(c.keys...)
		if err != nil {
			t.Fatal(err)
		}
		next, current, err := decodeKeys(b, c.certificate)
		if (err != nil) != c.notOfThisNodes || !sameKey(next, c.next) || !sameKey(current, c.current) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := decodeKeys([]byte("nonsense"), oldCertificate); err == nil {
		t.Error("nonsense is a key")
	}
	b, _ := encodeKeys(fresh, old)
	if _, _, err := decodeKeys(bytes.Clone(b[:len(b)-1]), oldCertificate); err == nil {
		t.Error("half a key is one")
	}
}

func sameKey(a, b *ecdsa.PrivateKey) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(b)
}

// Whatever stands in the record of the gossip key, or in the folder, is read or refused.
func FuzzKeyFiles(f *testing.F) {
	f.Add(append([]byte{gossipVersion, byte(gossipBoth)}, make([]byte, 100)...))
	f.Add(make([]byte, 2*gossipKeySize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if g, err := decodeGossip(b); err == nil && (g.Step > gossipNewest || len(g.Sealed) == 0) {
			t.Errorf("%+v", g)
		}
		if keys, err := splitGossip(b); err == nil && string(bytes.Join(keys, nil)) != string(b) {
			t.Errorf("%x became %x", b, keys)
		}
		_, _, _ = decodeKeys(b, b)
	})
}
