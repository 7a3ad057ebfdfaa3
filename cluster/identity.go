package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An Identity is what a member shows to the others: its certificate of the cluster's own authority,
// and the authorities that it trusts. The private key lies in the member's folder in the clear
// (0600): it must work while the node is sealed.
type Identity struct {
	ClusterID   string // 32 hex digits
	NodeID      string // 32 hex digits
	Certificate tls.Certificate
	Authorities []*x509.Certificate // newest first; each is certified by the one after it, or was when it was new
}

// Between nodes validity dates are not looked at (a cluster that lay switched off over its
// certificates' end could never start again, and admission must not hang on a wall clock), so they
// are only long.
const certificateLife = 50 * 365 * 24 * time.Hour

// An Authority is the cluster's CA with its private key; it exists only while somebody certifies a
// node's key.
type Authority struct {
	Certificate *x509.Certificate
	Generation  uint64 // of the keys that it certifies
	key         *ecdsa.PrivateKey
}

// NewAuthority makes the CA of a new cluster.
func NewAuthority(clusterID string, now time.Time) (*Authority, error) {
	return (*Authority)(nil).Successor(clusterID, now)
}

// Successor makes another authority, certified by this one: whoever trusts this one can tell that
// it is the cluster's. Without one before it, it certifies itself.
func (a *Authority) Successor(clusterID string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "Keyquorum cluster " + clusterID},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(certificateLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
		URIs:                  []*url.URL{identityURI(clusterID, "", 0)},
	}
	parent, signer := template, key
	if a != nil {
		parent, signer = a.Certificate, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{Certificate: cert, key: key}, nil
}

// ParseAuthority reads back what Marshal wrote.
func ParseAuthority(certificate, key []byte) (*Authority, error) {
	cert, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("cluster: CA certificate: %w", err)
	}
	parsed, err := x509.ParseECPrivateKey(key)
	if err != nil {
		return nil, errors.New("cluster: CA key is not readable") // the cause could quote key bytes
	}
	return &Authority{Certificate: cert, key: parsed}, nil
}

// Marshal returns the certificate and the private key (SEC 1), both DER. The key is for sealing,
// not for a file.
func (a *Authority) Marshal() (certificate, key []byte, err error) {
	key, err = x509.MarshalECPrivateKey(a.key)
	return a.Certificate.Raw, key, err
}

// Sign makes the certificate of a node for the key of its request (PKCS#10, DER). Everything but
// the key is decided here.
func (a *Authority) Sign(csr []byte, clusterID, nodeID string, now time.Time) ([]byte, error) {
	request, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, fmt.Errorf("cluster: certificate request: %w", err)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("cluster: certificate request: %w", err)
	}
	key, ok := request.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("cluster: certificate request: the key must be P-256")
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: nodeID},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(certificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:         []*url.URL{identityURI(clusterID, nodeID, a.Generation)},
	}
	return x509.CreateCertificate(rand.Reader, template, a.Certificate, key, a.key)
}

// NewRequest makes a node's key and the certificate request for it (DER).
func NewRequest() (*ecdsa.PrivateKey, []byte, error) { return NewRequestFor(nil) }

// NewRequestFor makes the request for a key, or, without one, a key too.
func NewRequestFor(key *ecdsa.PrivateKey) (_ *ecdsa.PrivateKey, csr []byte, err error) {
	if key == nil {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, nil, err
	}
	csr, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	return key, csr, err
}

// NewIdentity puts an Identity together and checks that its parts belong to one another. ca is the
// authorities' certificates, newest first, one after the other.
func NewIdentity(clusterID, nodeID string, key *ecdsa.PrivateKey, certificate, ca []byte) (Identity, error) {
	authorities, err := parseAuthorities(ca)
	if err != nil {
		return Identity{}, fmt.Errorf("cluster: CA certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(certificate)
	if err != nil {
		return Identity{}, fmt.Errorf("cluster: node certificate: %w", err)
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
		return Identity{}, errors.New("cluster: node certificate and node key do not belong together")
	}
	peer, err := id.peerOf([]*x509.Certificate{leaf})
	if err != nil {
		return Identity{}, fmt.Errorf("cluster: node certificate: %w", err)
	}
	if peer.node != nodeID {
		return Identity{}, fmt.Errorf("cluster: the node certificate is of node %s, the folder of node %s", peer.node, nodeID)
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

// CA is the authorities' certificates, as NewIdentity takes them.
func (id Identity) CA() (der []byte) {
	for _, a := range id.Authorities {
		der = append(der, a.Raw...)
	}
	return der
}

// Generation is that of the member's key.
func (id Identity) Generation() uint64 { return id.self().generation }

// self is this member as others see it.
func (id Identity) self() speaker {
	s, _ := id.peerOf([]*x509.Certificate{id.Certificate.Leaf})
	return s
}

// A speaker is who a certificate speaks for, and with which key.
type speaker struct {
	life       lifeID // that the connection shows; zero for one that this member dialled
	node       string
	generation uint64
	key        []byte // SHA-256 of the public key
}

// peerOf says for whom a chain speaks: a node's certificate and the authorities behind it. Dates
// are not looked at.
func (id Identity) peerOf(chain []*x509.Certificate) (speaker, error) {
	if err := id.vouched(chain); err != nil {
		return speaker{}, fmt.Errorf("the certificate is not from this cluster's authority: %w", err)
	}
	cert := chain[0]
	if cert.IsCA || len(cert.URIs) != 1 || cert.URIs[0].Scheme != "keyquorum" {
		return speaker{}, errors.New("the certificate is not a node's")
	}
	node, _, _ := strings.Cut(strings.TrimPrefix(cert.URIs[0].Path, "/"), "/")
	if cert.URIs[0].Host != id.ClusterID || node == "" {
		return speaker{}, errors.New("the certificate is for another cluster")
	}
	number, err := generationOf(cert)
	return speaker{node: node, generation: number, key: keyHash(cert)}, err
}

// generationOf reads the number behind the node id in a certificate's name; a first key has none.
func generationOf(cert *x509.Certificate) (uint64, error) {
	if len(cert.URIs) == 0 {
		return 0, nil
	}
	_, number, numbered := strings.Cut(strings.TrimPrefix(cert.URIs[0].Path, "/"), "/")
	if !numbered {
		return 0, nil
	}
	return strconv.ParseUint(number, 10, 64)
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
		if i+1 == len(chain) || !id.isAuthority(chain[i+1]) || chain[i].CheckSignatureFrom(chain[i+1]) != nil {
			break
		}
	}
	return err
}

func (id Identity) isAuthority(cert *x509.Certificate) bool {
	return cert.IsCA && len(cert.URIs) == 1 && cert.URIs[0].String() == identityURI(id.ClusterID, "", 0).String()
}

func identityURI(clusterID, nodeID string, generation uint64) *url.URL {
	u := &url.URL{Scheme: "keyquorum", Host: clusterID}
	if nodeID != "" {
		u.Path = "/" + nodeID
	}
	if generation > 0 {
		u.Path += "/" + strconv.FormatUint(generation, 10)
	}
	return u
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return n.Add(n, big.NewInt(1))
}
