package cluster_test

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"keyquorum/cluster"
)

// certified is an identity of node 1 whose key an authority certified, and which trusts some.
func certified(t *testing.T, by *cluster.Authority, trusted ...*cluster.Authority) cluster.Identity {
	t.Helper()
	id := strings.Repeat("1", 32)
	key, csr, err := cluster.NewRequest()
	must(t, err)
	certificate, err := by.Sign(csr, clusterID, id, time.Now())
	must(t, err)
	var ca []byte
	for _, a := range trusted {
		ca = append(ca, a.Certificate.Raw...)
	}
	identity, err := cluster.NewIdentity(clusterID, id, key, certificate, ca)
	must(t, err)
	return identity
}

// A member that trusts an older authority alone follows the chain from a newer one; none goes the
// other way, past a certificate that is no authority's, or to another cluster's.
func TestAuthoritiesVouchForTheirSuccessors(t *testing.T) {
	now := time.Now()
	authority := func(a *cluster.Authority, err error) *cluster.Authority { must(t, err); return a }
	first := authority(cluster.NewAuthority(clusterID, now))
	second := authority(first.Successor(clusterID, now))
	second.Generation = 7
	third := authority(second.Successor(clusterID, now))
	foreign := authority(cluster.NewAuthority(clusterID, now)) // of this name, but not certified
	other := authority(cluster.NewAuthority(strings.Repeat("f", 32), now))

	old, middle, newest := certified(t, first, first), certified(t, second, second, first), certified(t, third, third)
	leaf := func(id cluster.Identity) *x509.Certificate { return id.Certificate.Leaf }
	for name, c := range map[string]struct {
		who   cluster.Identity
		chain []*x509.Certificate
		ok    bool
	}{
		"of the authority that it trusts":         {old, []*x509.Certificate{leaf(old)}, true},
		"of its successor, with the chain":        {old, []*x509.Certificate{leaf(middle), second.Certificate}, true},
		"of its successor, alone":                 {old, []*x509.Certificate{leaf(middle)}, false},
		"of the one after, with the chain":        {old, []*x509.Certificate{leaf(newest), third.Certificate, second.Certificate}, true},
		"with a gap in the chain":                 {old, []*x509.Certificate{leaf(newest), second.Certificate}, false},
		"of an authority that is trusted no more": {newest, []*x509.Certificate{leaf(old), first.Certificate}, false},
		"of its predecessor":                      {newest, []*x509.Certificate{leaf(middle), second.Certificate, first.Certificate}, false},
		"of a foreign one":                        {old, []*x509.Certificate{leaf(certified(t, foreign, foreign)), foreign.Certificate, first.Certificate}, false},
		"by way of a node":                        {old, []*x509.Certificate{leaf(newest), leaf(middle), second.Certificate}, false},
	} {
		node, generation, err := c.who.PeerOf(c.chain...)
		if (err == nil) != c.ok || c.ok && node != strings.Repeat("1", 32) {
			t.Errorf("%s: %q, %v", name, node, err)
		}
		if c.ok && c.chain[0] == leaf(middle) && generation != 7 {
			t.Errorf("%s: generation %d", name, generation)
		}
	}
	if _, err := cluster.NewIdentity(clusterID, strings.Repeat("1", 32), nil, nil, slices.Repeat(other.Certificate.Raw, 5)); err == nil {
		t.Error("five authorities are trusted")
	}
	if string(middle.CA()) != string(second.Certificate.Raw)+string(first.Certificate.Raw) {
		t.Error("an identity's authorities are not those that it was given")
	}
}

// Whatever stands at the path of the node keys, a member reads it or says that it can't.
func FuzzNodeKeys(f *testing.F) {
	for _, k := range []cluster.NodeKeys{
		{Authorities: [][]byte{[]byte("a certificate")}}, {Generation: 1 << 40, Authorities: [][]byte{{1}, {2}}},
	} {
		b, err := k.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := cluster.DecodeNodeKeys(b)
		if err != nil {
			return
		}
		again, err := k.Encode()
		must(t, err)
		if twice, err := cluster.DecodeNodeKeys(again); err != nil || twice.Generation != k.Generation {
			t.Errorf("%x: %v", again, err)
		}
	})
}
