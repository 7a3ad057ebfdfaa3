package dev

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"time"
)

const (
	certificateLife = 397 * 24 * time.Hour // the longest that browsers take
	authorityName   = "Keyquorum dev CA"
	renewBefore     = 30 * 24 * time.Hour
)

// EnsureCertificates leaves a good pair in the folder, for the zone that nobody asked to be
// another.
func (f Folder) EnsureCertificates(now time.Time) error {
	return f.ensureCertificates(Layout{},
		now)
}

// ensureCertificates leaves a good pair in the folder. A pair near its end is replaced together
// with its authority, whose key is never written: nothing that was left behind can sign another
// certificate.
func (f Folder) ensureCertificates(l Layout, now time.Time) error {
	pair, err := tls.LoadX509KeyPair(f.Path("tls.pem"), f.Path("tls-key.pem"))
	if err == nil && pair.Leaf.NotAfter.After(now.Add(renewBefore)) {
		return nil
	}
	ca, caKey, err := mintAuthority(now)
	if err != nil {
		return err
	}
	leaf, key, err := mintServer(l, ca, caKey, now)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		writePEM(f.Path("ca.pem"), "CERTIFICATE", ca.Raw, 0o644),
		writePEM(f.Path("tls.pem"), "CERTIFICATE", leaf, 0o644),
		writePEM(f.Path("tls-key.pem"), "PRIVATE KEY", keyDER, 0o600),
	)
}

func mintAuthority(now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := certificateTemplate(authorityName, now)
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign
	template.MaxPathLenZero = true
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	ca, err := x509.ParseCertificate(der)
	return ca, key, err
}

func mintServer(l Layout, ca *x509.Certificate, caKey *ecdsa.PrivateKey, now time.Time) ([]byte,
	*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := certificateTemplate("Keyquorum dev node", now)
	template.DNSNames = []string{"*." + l.suffix(), l.login(), "localhost"}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if ip := net.ParseIP(l.Listen); ip != nil && !ip.IsUnspecified() {
		template.IPAddresses = append(template.IPAddresses, ip)
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, caKey)
	return der, key, err
}

func certificateTemplate(name string, now time.Time) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(certificateLife),
	}
}

func writePEM(file, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
