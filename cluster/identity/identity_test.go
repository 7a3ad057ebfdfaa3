package identity_test

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"keyquorum/cluster/identity"
)

const clusterID = "00112233445566778899aabbccddeeff"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// certified is an identity of node 1 whose key an authority certified, and which trusts some.
func certified(
	t *testing.T, by *identity.Authority, trusted ...*identity.Authority,
) identity.Identity {
	t.Helper()
	node := strings.Repeat("1", 32)
	key, csr, err := identity.NewRequest()
	must(t, err)
	certificate, err := by.Sign(csr, clusterID, node, time.Now())
	must(t, err)
	var ca []byte
	for _, a := range trusted {
		ca = append(ca, a.Certificate.Raw...)
	}
	id, err := identity.New(clusterID, node, key, certificate, ca)
	must(t, err)
	return id
}

// A member that trusts an older authority alone follows the chain from a newer one; none goes the
// other way, past a certificate that is no authority's, or to another cluster's.
func TestAuthoritiesVouchForTheirSuccessors(t *testing.T) {
	now := time.Now()
	authority := func(a *identity.Authority, err error) *identity.Authority { must(t, err); return a }
	first := authority(identity.NewAuthority(clusterID, now))
	second := authority(first.Successor(clusterID, now))
	second.Generation = 7
	third := authority(second.Successor(clusterID, now))
	foreign := authority(identity.NewAuthority(clusterID, now)) // of this name, but not certified
	other := authority(identity.NewAuthority(strings.Repeat("f", 32), now))

	old, middle := certified(t, first, first), certified(t, second, second, first)
	newest, stranger := certified(t, third, third), certified(t, foreign, foreign)
	leaf := func(id identity.Identity) *x509.Certificate { return id.Certificate.Leaf }
	chain := func(of ...*x509.Certificate) []*x509.Certificate { return of }
	for name, c := range map[string]struct {
		who   identity.Identity
		chain []*x509.Certificate
		ok    bool
	}{
		"of the authority that it trusts": {old, chain(leaf(old)), true},
		"of its successor, with the chain": {
			old, chain(leaf(middle), second.Certificate), true,
		},
		"of its successor, alone": {old, chain(leaf(middle)), false},
		"of the one after, with the chain": {
			old, chain(leaf(newest), third.Certificate, second.Certificate), true,
		},
		"with a gap in the chain": {
			old, chain(leaf(newest), second.Certificate), false,
		},
		"of an authority that is trusted no more": {
			newest, chain(leaf(old), first.Certificate), false,
		},
		"of its predecessor": {
			newest, chain(leaf(middle), second.Certificate, first.Certificate), false,
		},
		"of a foreign one": {
			old, chain(leaf(stranger), foreign.Certificate, first.Certificate), false,
		},
		"by way of a node": {
			old, chain(leaf(newest), leaf(middle), second.Certificate), false,
		},
	} {
		peer, err := c.who.PeerOf(c.chain)
		if (err == nil) != c.ok || c.ok && peer.Node != strings.Repeat("1", 32) {
			t.Errorf("%s: %q, %v", name, peer.Node, err)
		}
		if c.ok && c.chain[0] == leaf(middle) && peer.Generation != 7 {
			t.Errorf("%s: generation %d", name, peer.Generation)
		}
	}
	five := slices.Repeat(other.Certificate.Raw, 5)
	if _, err := identity.New(clusterID, strings.Repeat("1", 32), nil, nil, five); err == nil {
		t.Error("five authorities are trusted")
	}
	if string(middle.CA()) != string(second.Certificate.Raw)+string(first.Certificate.Raw) {
		t.Error("an identity's authorities are not those that it was given")
	}
}

// Whatever stands at the path of the node keys, a member reads it or says that it can't.
func FuzzNodeKeys(f *testing.F) {
	for _, k := range []identity.NodeKeys{
		{Authorities: [][]byte{[]byte("a certificate")}},
		{Generation: 1 << 40, Authorities: [][]byte{{1}, {2}}},
	} {
		b, err := k.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := identity.DecodeNodeKeys(b)
		if err != nil {
			return
		}
		again, err := k.Encode()
		must(t, err)
		if twice, err := identity.DecodeNodeKeys(again); err != nil || twice.Generation != k.Generation {
			t.Errorf("%x: %v", again, err)
		}
	})
}
