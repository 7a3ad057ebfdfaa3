package node_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cluster/identity"
	"keyquorum/internal/fakenet"
	"keyquorum/node"
)

// xor alters a with b, which may be shorter or longer.
func xor(a, b []byte) []byte {
	a = append([]byte(nil), a...)
	for i, x := range b {
		if i == len(a) {
			return append(a, b[i:]...)
		}
		a[i] ^= x
	}
	return a
}

// FuzzNonce: a challenge is valid for its server id, unaltered and young, and for nothing else.
func FuzzNonce(f *testing.F) {
	f.Add("00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff", []byte{},
		int64(time.Minute))
	f.Add("00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff", []byte{},
		int64(2*time.Minute))
	f.Add("a", "b", []byte{}, int64(0))
	f.Add("a", "a", []byte{0, 0, 0, 0, 0, 0, 0, 1}, int64(0))
	f.Add("a", "a", bytes.Repeat([]byte{0}, 57), int64(-1))
	nonces, made := node.NewNonces(), time.Unix(1_000_000_000, 0)
	f.Fuzz(func(t *testing.T, madeFor, asked string, change []byte, age int64) {
		nonce := nonces.Make(madeFor, made)
		altered := xor(nonce, change)
		young := age >= -int64(2*time.Minute) && age < int64(2*time.Minute)
		want := madeFor == asked && bytes.Equal(nonce, altered) && young
		if got := nonces.Valid(asked, altered, made.Add(time.Duration(age))); got != want {
			t.Fatalf("valid = %v, want %v", got, want)
		}
	})
}

// openAlone makes an unsealed cluster of one outside a bubble.
func openAlone(tb testing.TB) *node.Node {
	network := fakenet.New()
	n, err := node.Open(node.Config{
		Dir: filepath.Join(tb.TempDir(), "node"), Label: "alone", APIAddr: "https://alone:8200",
		ClusterAddr:     "alone:8201",
		ClusterListener: network.Listen("alone", "alone:8201"), Dial: network.Dialer("alone"),
		Logger: hclog.NewNullLogger(), Version: "test",
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		n.Close(context.Background())
		network.Close()
	})
	result, err := n.Init(tb.Context(), 1, 1)
	if err != nil {
		tb.Fatal(err)
	}
	if status, err := n.Unseal(tb.Context(), result.Shares[0]); err != nil || status.Sealed {
		tb.Fatal(status, err)
	}
	return n
}

// FuzzAdmitAnswer: whatever an answer holds, no proof means no admission, and an admission is a
// certificate for the request's key and this id.
func FuzzAdmitAnswer(f *testing.F) {
	const id = "00112233445566778899aabbccddeeff"
	_, csr, err := identity.NewRequest()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(id, []byte{}, []byte{}, csr, "joiner:8201")
	f.Add(id, []byte{}, []byte{1}, csr, "joiner:8201")
	f.Add(id, []byte{1}, []byte{}, csr, "joiner:8201")
	f.Add(id, []byte{}, []byte{}, csr[:len(csr)-1], "joiner:8201")
	f.Add(id, []byte{}, []byte{}, csr, "no address")
	f.Add("short", []byte{}, []byte{}, []byte{}, "")
	n := openAlone(f)
	f.Fuzz(func(t *testing.T, serverID string, nonceChange, macChange, csr []byte, address string) {
		challenge, err := n.MakeChallenge(serverID)
		if err != nil {
			if _, err := n.AdmitAnswer(t.Context(), node.Answer{ServerID: serverID, CSR: csr,
				ClusterAddr: address}); !errors.Is(err, node.ErrInvalidAnswer) {
				t.Fatalf("server id %q: %v", serverID, err)
			}
			return
		}
		mac := n.Prove(serverID, challenge.Nonce, csr, address)
		a := node.Answer{
			ServerID: serverID, Nonce: xor(challenge.Nonce, nonceChange), MAC: xor(mac, macChange), CSR: csr,
			ClusterAddr: address,
		}
		proved := bytes.Equal(a.MAC, mac) && bytes.Equal(a.Nonce, challenge.Nonce)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		admission, err := n.AdmitAnswer(ctx, a)
		switch {
		case !proved && !errors.Is(err, node.ErrInvalidAnswer):
			t.Fatalf("without a proof: %v", err)
		case proved && errors.Is(err, node.ErrInvalidAnswer):
			t.Fatal("a proof was refused")
		case err == nil:
			if err := certifies(admission, serverID, csr); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func certifies(a node.Admission, serverID string, csr []byte) error {
	request, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return err
	}
	certificate, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		return err
	}
	ca, err := x509.ParseCertificate(a.CA)
	if err != nil {
		return err
	}
	if key, ok := certificate.PublicKey.(*ecdsa.PublicKey); !ok || !key.Equal(request.PublicKey) {
		return errors.New("the certificate is for another key")
	}
	if certificate.Subject.CommonName != serverID || len(certificate.URIs) != 1 ||
		!strings.HasSuffix(certificate.URIs[0].Path, serverID) {
		return fmt.Errorf("the certificate is for %v", certificate.URIs)
	}
	return certificate.CheckSignatureFrom(ca)
}
