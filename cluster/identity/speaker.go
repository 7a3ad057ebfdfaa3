package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"strconv"
	"strings"

	"keyquorum/fsm"
)

// A Speaker is who a certificate speaks for, and with which key.
type Speaker struct {
	Node       string // 32 hex digits
	Generation uint64 // of the key
	Key        []byte // SHA-256 of the public key
}

// SpeaksAmong is true of a node that nobody has signed for yet, too. A certificate of a later
// generation than the member's is of a key that came after those that these members know: an
// unsealed member made it, so whoever goes by them is behind, or soon will be.
func (s Speaker) SpeaksAmong(members fsm.Members) bool {
	m, ok := members.Find(s.Node)
	if !ok || len(m.Keys) == 0 || s.Generation > m.Generation {
		return true
	}
	return slices.ContainsFunc(m.Keys, func(k []byte) bool { return string(k) == string(s.Key) })
}

// SpeaksAmong says whether this identity's key is one that members know as its own.
func (id Identity) SpeaksAmong(members fsm.Members) bool { return id.Self().SpeaksAmong(members) }

// NewMember is a member without a vote, known by the key of its certificate.
func NewMember(nodeID, address string, certificate *x509.Certificate) fsm.Member {
	m := fsm.Member{ID: nodeID, Address: address, Keys: [][]byte{keyHash(certificate)}}
	m.Generation, _ = generationOf(certificate)
	return m
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

// keyHash is what members are known by.
func keyHash(cert *x509.Certificate) []byte {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return sum[:]
}
