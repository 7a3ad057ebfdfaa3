package testcluster

import (
	"encoding/hex"
	"time"

	"github.com/fxamacker/cbor/v2"

	"keyquorum/cluster/identity"
	"keyquorum/seal"
)

// Stranger is a thief who has no folder: he has a certificate of the cluster's authority for a node
// that is no member and was not removed. A node has one between its admission and the moment in
// which it becomes a member.
func (c *Cluster) Stranger() *Thief {
	c.t.Helper()
	loot, err := c.copyMember(c.member(-1))
	c.must(err)
	thief := &Thief{Node: -1, c: c, Loot: loot}
	c.must(thief.admit(loot, newName()))
	c.t.Cleanup(thief.Leave)
	return thief
}

// Double is a thief who has a certificate of the cluster's authority for member i, and not that
// member's key.
func (c *Cluster) Double(i int) *Thief {
	c.t.Helper()
	loot, err := c.copyMember(i)
	c.must(err)
	thief := &Thief{Node: i, c: c, Loot: loot}
	c.must(thief.admit(loot, loot.id))
	c.t.Cleanup(thief.Leave)
	return thief
}

// Keyring is the keyring that stands in node i's folder: an unsealed member signs with it.
func (c *Cluster) Keyring(i int) *seal.Keyring {
	c.t.Helper()
	loot, err := c.copyMember(i)
	c.must(err)
	keyring, err := c.unwrap(loot)
	c.must(err)
	c.t.Cleanup(keyring.Close)
	return keyring
}

// admit makes the certificate with the authority's key, which the shares open.
func (t *Thief) admit(l Loot, id string) error {
	keyring, err := t.c.unwrap(l)
	if err != nil {
		return err
	}
	defer keyring.Close()
	sealed, _ := l.Now(PathCA)
	plain, err := keyring.Open(nil, PathCA, sealed.Logical, sealed.Value)
	if err != nil {
		return err
	}
	var record struct {
		_                struct{} `cbor:",toarray"`
		Certificate, Key []byte
	}
	if err := cbor.Unmarshal(plain, &record); err != nil {
		return err
	}
	authority, err := identity.ParseAuthority(record.Certificate, record.Key)
	if err != nil {
		return err
	}
	key, request, err := identity.NewRequest()
	if err != nil {
		return err
	}
	clusterID := authority.Certificate.URIs[0].Host
	der, err := authority.Sign(request, clusterID, id, time.Now())
	if err != nil {
		return err
	}
	pair, name, err := certificateOf(der, key)
	if err != nil {
		return err
	}
	t.begin(pair, name)
	return nil
}

// unwrap gives two shares to the seal record of a folder, and opens its keyring.
func (c *Cluster) unwrap(l Loot) (*seal.Keyring, error) {
	record, _ := l.Now(PathSeal)
	decoded, err := seal.DecodeRecord(record.Value)
	if err != nil {
		return nil, err
	}
	ceremony := seal.NewCeremony(decoded)
	for _, share := range c.Shares[:2] {
		b, err := hex.DecodeString(share)
		if err != nil {
			return nil, err
		}
		if _, err := ceremony.Add(b); err != nil {
			return nil, err
		}
	}
	root, err := ceremony.Open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	wrapped, _ := l.Now(PathKeyring)
	return root.UnwrapKeyring(wrapped.Value)
}
