package cluster

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"keyquorum/cluster/calls"
	"keyquorum/cluster/identity"
	"keyquorum/cluster/port"
	"keyquorum/fsm"
)

// Node keys are changed by generations. identity.PathNodes says which one is wanted, and which
// authorities are trusted. A member whose entry among the members is of an earlier one makes a key
// and has an unsealed member certify it (Certify), shows the others that certificate from then on
// (UseIdentity), and has its entry say so (Renewed): then its older key is heard by nobody any
// more. A certificate of a later generation than the entry's is taken without a look at the entry,
// so it makes no difference who has applied what.
//
// The authority is replaced by a successor that it has certified. Each member shows the authorities
// behind its certificate, so one that was away, and trusts the old one alone, follows. The old one
// goes when every member has a key of the wanted generation.

// UseIdentity has this member show another certificate, or trust other authorities. Connections
// that stand are not cut: calls go over new ones from now on, and the others cut what is left when
// the members say that the older key is no more.
func (c *Cluster) UseIdentity(id identity.Identity) {
	old := c.port.UseIdentity(id)
	if !slices.EqualFunc(old.Authorities, id.Authorities, (*x509.Certificate).Equal) {
		c.cutStrangers()
	}
	if !old.Certificate.Leaf.Equal(id.Certificate.Leaf) {
		c.client.Renew()
	}
}

// cutStrangers closes the connections with nodes that nobody has signed for: an authority that is
// not trusted any more may have made them up. The others come back.
func (c *Cluster) cutStrangers() {
	members := c.View().Members()
	c.cut(func(l port.Link) bool {
		_, ok := members.Find(l.Node)
		return !ok && len(members) > 0
	})
}

type certifyCall struct {
	_       struct{} `cbor:",toarray"`
	Request []byte   // PKCS#10, DER
}

type certifyAnswer struct {
	_           struct{} `cbor:",toarray"`
	Certificate []byte   // DER
}

// Certify gets a certificate for a new key of this member's. A sealed member asks another.
func (c *Cluster) Certify(ctx context.Context, request []byte) ([]byte, error) {
	call := certifyCall{Request: request}
	if answer, err := c.serveCertify(ctx, c.id, call); !errors.Is(err, errCantTell) {
		return answer.Certificate, err
	}
	willDo := func(certifyAnswer) bool { return true }
	answer, err := askAny(ctx, c, "/v1/certify", call, willDo)
	return answer.Certificate, err
}

// serveCertify certifies a key for who asks, and for no other, while its entry is behind.
func (c *Cluster) serveCertify(
	_ context.Context, from string, r certifyCall,
) (certifyAnswer, error) {
	if c.signer.Load() == nil || c.CertifyFor == nil {
		return certifyAnswer{}, errCantTell
	}
	view := c.View()
	wanted, err := identity.NodeKeysOf(view)
	if err != nil {
		return certifyAnswer{}, err
	}
	if m, ok := view.Members().Find(from); !ok || m.Generation >= wanted.Generation {
		return certifyAnswer{}, errCantTell // or another knows of a newer one
	}
	certificate, err := c.CertifyFor(view, from, r.Request)
	return certifyAnswer{Certificate: certificate}, err
}

type renewedCall struct {
	_ struct{} `cbor:",toarray"`
}

type renewedAnswer struct {
	_ struct{} `cbor:",toarray"`
}

// Renewed has this member's entry name the key that it shows, and no other. A sealed member has
// another sign for that, which hears the key speak.
func (c *Cluster) Renewed(ctx context.Context) error {
	if c.signer.Load() != nil {
		return c.renewed(ctx, c.port.Identity().Self())
	}
	_, err := askAny(ctx, c, "/v1/renewed", renewedCall{}, func(renewedAnswer) bool { return true })
	return err
}

func (c *Cluster) serveRenewed(
	ctx context.Context, _ string, _ renewedCall,
) (renewedAnswer, error) {
	if c.signer.Load() == nil {
		return renewedAnswer{}, errCantTell
	}
	return renewedAnswer{}, c.renewed(ctx, calls.Asker(ctx).Speaker)
}

// renewed signs for the key that speaks, if it is of a later generation than the member's.
func (c *Cluster) renewed(ctx context.Context, peer identity.Speaker) error {
	return c.changeMembers(ctx, func(list fsm.Members) (fsm.Members, error) {
		m, ok := list.Find(peer.Node)
		switch {
		case !ok:
			return nil, errStranger
		case peer.Generation > m.Generation:
			m.Keys, m.Generation = [][]byte{peer.Key}, peer.Generation
		case !peer.SpeaksAmong(list):
			return nil, fmt.Errorf("%w: somebody else has another of generation %d",
				errForeignKey, m.Generation)
		}
		return list.With(m), nil
	})
}
