package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"time"
)

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
		URIs:                  []*url.URL{uri(clusterID, "", 0)},
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
		return nil, fmt.Errorf("identity: CA certificate: %w", err)
	}
	parsed, err := x509.ParseECPrivateKey(key)
	if err != nil {
		return nil, errors.New("identity: CA key is not readable") // the cause could quote key bytes
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
		return nil, fmt.Errorf("identity: certificate request: %w", err)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("identity: certificate request: %w", err)
	}
	key, ok := request.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("identity: certificate request: the key must be P-256")
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: nodeID},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(certificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:         []*url.URL{uri(clusterID, nodeID, a.Generation)},
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

func uri(clusterID, nodeID string, generation uint64) *url.URL {
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
