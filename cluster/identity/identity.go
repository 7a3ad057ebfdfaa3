// Package identity says who is who between the members of a cluster: a node's key and certificate,
// the cluster's own authority, and which node keys there should be.
//
// It owns the content of certificates (docs/formats.md). It promises that a certificate is good for
// one node of one cluster and for one key, and that a member that trusts an older authority can
// follow to a newer one. It reads no clock and no file, and opens no connection. Package cluster
// decides who may be heard with an identity.
package identity

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// An Identity is what a member shows to the others: its certificate of the cluster's own authority,
// and the authorities that it trusts. The private key lies in the member's folder in the clear
// (0600): it must work while the node is sealed.
type Identity struct {
	ClusterID   string // 32 hex digits
	NodeID      string // 32 hex digits
	Certificate tls.Certificate
	// Authorities are the newest first. Each is certified by the one after it, or was when it was new.
	Authorities []*x509.Certificate
}

// New puts an Identity together and checks that its parts belong to one another. ca is the
// authorities' certificates, newest first, one after the other.
func New(
	clusterID, nodeID string, key *ecdsa.PrivateKey, certificate, ca []byte,
) (Identity, error) {
	authorities, err := parseAuthorities(ca)
	if err != nil {
		return Identity{}, fmt.Errorf("identity: CA certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(certificate)
	if err != nil {
		return Identity{}, fmt.Errorf("identity: node certificate: %w", err)
	}
	id := Identity{
		ClusterID:   clusterID,
		NodeID:      nodeID,
		Certificate: tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: key, Leaf: leaf},
		Authorities: authorities,
	}
	for _, a := range authorities {
		id.Certificate.Certificate = append(id.Certificate.Certificate, a.Raw)
	}
	if !key.PublicKey.Equal(leaf.PublicKey) {
		return Identity{}, errors.New("identity: node certificate and node key do not belong together")
	}
	peer, err := id.PeerOf([]*x509.Certificate{leaf})
	if err != nil {
		return Identity{}, fmt.Errorf("identity: node certificate: %w", err)
	}
	if peer.Node != nodeID {
		return Identity{}, fmt.Errorf(
			"identity: the node certificate is of node %s, the folder of node %s", peer.Node, nodeID)
	}
	return id, nil
}

func parseAuthorities(ca []byte) ([]*x509.Certificate, error) {
	list, err := x509.ParseCertificates(ca)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || len(list) > maxAuthorities {
		return nil, fmt.Errorf("%d authorities", len(list))
	}
	return list, nil
}

// maxAuthorities bounds those that are trusted at one time: the one that is to be replaced, and its
// successor.
const maxAuthorities = 4

// CA is the authorities' certificates, as New takes them.
func (id Identity) CA() (der []byte) {
	for _, a := range id.Authorities {
		der = append(der, a.Raw...)
	}
	return der
}

// Generation is that of the member's key.
func (id Identity) Generation() uint64 { return id.Self().Generation }

// Self is this member as others see it.
func (id Identity) Self() Speaker {
	s, _ := id.PeerOf([]*x509.Certificate{id.Certificate.Leaf})
	return s
}

// PeerOf says for whom a chain speaks: a node's certificate and the authorities behind it. Dates
// are not looked at.
func (id Identity) PeerOf(chain []*x509.Certificate) (Speaker, error) {
	if err := id.vouched(chain); err != nil {
		return Speaker{}, fmt.Errorf("the certificate is not from this cluster's authority: %w", err)
	}
	cert := chain[0]
	if cert.IsCA || len(cert.URIs) != 1 || cert.URIs[0].Scheme != "keyquorum" {
		return Speaker{}, errors.New("the certificate is not a node's")
	}
	node, _, _ := strings.Cut(strings.TrimPrefix(cert.URIs[0].Path, "/"), "/")
	if cert.URIs[0].Host != id.ClusterID || node == "" {
		return Speaker{}, errors.New("the certificate is for another cluster")
	}
	number, err := generationOf(cert)
	return Speaker{Node: node, Generation: number, Key: keyHash(cert)}, err
}

// vouched goes along a chain until an authority that is trusted here has signed: a member that was
// away while the authority was replaced trusts the old one, which certified the new one.
func (id Identity) vouched(chain []*x509.Certificate) (err error) {
	for i := range min(len(chain), maxAuthorities+1) {
		for _, a := range id.Authorities {
			if err = chain[i].CheckSignatureFrom(a); err == nil {
				return nil
			}
		}
		if i+1 == len(chain) || !id.isAuthority(chain[i+1]) {
			break
		}
		if chain[i].CheckSignatureFrom(chain[i+1]) != nil {
			break
		}
	}
	return err
}

func (id Identity) isAuthority(cert *x509.Certificate) bool {
	return cert.IsCA && len(cert.URIs) == 1 &&
		cert.URIs[0].String() == uri(id.ClusterID, "", 0).String()
}
