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
	"time"
)

// An Identity is what a member shows to the others: its certificate of the cluster's own CA, and that CA.
// The private key lies in the member's folder in the clear (0600): it must work while the node is sealed.
type Identity struct {
	ClusterID   string // 32 hex digits
	NodeID      string // 32 hex digits
	Certificate tls.Certificate
	CA          *x509.Certificate
}

// Between nodes validity dates are not looked at (a cluster that lay switched off over its certificates' end
// could never start again, and admission must not hang on a wall clock), so they are only long.
const certificateLife = 50 * 365 * 24 * time.Hour

// An Authority is the cluster's CA with its private key; it exists only while somebody admits a node.
type Authority struct {
	Certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes the CA of a new cluster.
func NewAuthority(clusterID string, now time.Time) (*Authority, error) {
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
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
		URIs:                  []*url.URL{identityURI(clusterID, "")},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
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

// Marshal returns the certificate and the private key (SEC 1), both DER. The key is for sealing, not for a file.
func (a *Authority) Marshal() (certificate, key []byte, err error) {
	key, err = x509.MarshalECPrivateKey(a.key)
	return a.Certificate.Raw, key, err
}

// Sign makes the certificate of a node for the key of its request (PKCS#10, DER). Everything but the key is decided here.
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
		URIs:         []*url.URL{identityURI(clusterID, nodeID)},
	}
	return x509.CreateCertificate(rand.Reader, template, a.Certificate, key, a.key)
}

// NewRequest makes a node's key and the certificate request for it (DER).
func NewRequest() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	return key, csr, err
}

// NewIdentity puts an Identity together and checks that its parts belong to one another.
func NewIdentity(clusterID, nodeID string, key *ecdsa.PrivateKey, certificate, ca []byte) (Identity, error) {
	authority, err := x509.ParseCertificate(ca)
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
		CA:          authority,
	}
	if !key.PublicKey.Equal(leaf.PublicKey) {
		return Identity{}, errors.New("cluster: node certificate and node key do not belong together")
	}
	peer, err := id.peerOf(leaf)
	if err != nil {
		return Identity{}, fmt.Errorf("cluster: node certificate: %w", err)
	}
	if peer != nodeID {
		return Identity{}, fmt.Errorf("cluster: the node certificate is of node %s, the folder of node %s", peer, nodeID)
	}
	return id, nil
}

// peerOf returns the node id that a certificate of this cluster's CA speaks for. Dates are not looked at.
func (id Identity) peerOf(cert *x509.Certificate) (string, error) {
	if err := cert.CheckSignatureFrom(id.CA); err != nil {
		return "", fmt.Errorf("the certificate is not from this cluster's authority: %w", err)
	}
	if cert.IsCA || len(cert.URIs) != 1 || cert.URIs[0].Scheme != "keyquorum" {
		return "", errors.New("the certificate is not a node's")
	}
	peer := cert.URIs[0].Path
	if cert.URIs[0].Host != id.ClusterID || len(peer) < 2 || peer[0] != '/' {
		return "", errors.New("the certificate is for another cluster")
	}
	return peer[1:], nil
}

func identityURI(clusterID, nodeID string) *url.URL {
	u := &url.URL{Scheme: "keyquorum", Host: clusterID}
	if nodeID != "" {
		u.Path = "/" + nodeID
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
