package node

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"time"

	"keyquorum/seal"
	"keyquorum/vault"
)

// A root generation makes another root token when enough shares were given. The token is shown
// masked with a one-time password, so that who gives the last share does not have it thereby.

// OTPLength is the length of a one-time password in bytes: that of a root token.
const OTPLength = vault.OperatorTokenLength

// A RootGenerationStatus says where the root generation at this node stands. Not started, all but
// Required is zero.
type RootGenerationStatus struct {
	Started            bool
	Nonce              string
	Progress, Required int
	Fingerprint        string // of who gets the token encrypted; "": it is masked
}

// rootGeneration is one at this node. Its calls hold ceremonies.mu.
type rootGeneration struct {
	gathering
	otp   []byte    // nil: there is a recipient
	to    Recipient // nil: there is a password
	lapse *time.Timer
}

func (r *rootGeneration) end() {
	r.lapse.Stop()
	r.shares.Reset()
	clear(r.otp)
}

func (r *rootGeneration) status() RootGenerationStatus {
	s := RootGenerationStatus{Started: true, Nonce: r.nonce, Progress: r.shares.Progress(),
		Required: r.record.Threshold}
	if r.to != nil {
		s.Fingerprint = r.to.Fingerprint()
	}
	return s
}

// RootGenerationStatus asks nobody. It waits while a token is made.
func (n *Node) RootGenerationStatus() (RootGenerationStatus, error) {
	m, k, err := n.unsealed()
	if err != nil {
		return RootGenerationStatus{}, err
	}
	k.ceremonies.mu.Lock()
	defer k.ceremonies.mu.Unlock()
	if r := k.ceremonies.root; r != nil {
		return r.status(), nil
	}
	return RootGenerationStatus{Required: m.sealRecord().Threshold}, nil
}

// BeginRootGeneration begins to collect shares for a root token. Without a one-time password one is
// made. It is returned, and never again.
func (n *Node) BeginRootGeneration(otp []byte) (RootGenerationStatus, []byte, error) {
	switch len(otp) {
	case 0:
		otp = newOTP()
	case OTPLength:
	default:
		return RootGenerationStatus{}, nil, &CeremonyError{"OTP string has incorrect length"}
	}
	s, err := n.beginRootGeneration(&rootGeneration{otp: append([]byte(nil), otp...)})
	return s, otp, err
}

// BeginRootGenerationFor begins to collect shares for a root token that is encrypted for somebody.
func (n *Node) BeginRootGenerationFor(to Recipient) (RootGenerationStatus, error) {
	return n.beginRootGeneration(&rootGeneration{to: to})
}

func (n *Node) beginRootGeneration(r *rootGeneration) (RootGenerationStatus, error) {
	m, k, err := n.unsealed()
	if err != nil {
		return RootGenerationStatus{}, err
	}
	c := &k.ceremonies
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.root != nil {
		return RootGenerationStatus{}, &CeremonyError{"root generation already in progress"}
	}
	r.gathering = newGathering("root generation operation", m.sealRecord())
	r.lapse = time.AfterFunc(ceremonyLife, func() { lapseRootGeneration(c, r) })
	c.root = r
	return r.status(), nil
}

func lapseRootGeneration(c *ceremonies, r *rootGeneration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.root == r {
		r.end()
		c.root = nil
	}
}

// newOTP is of letters and digits, each as likely as any other.
func newOTP() []byte {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	otp := make([]byte, 0, OTPLength)
	for b := make([]byte, 1); len(otp) < OTPLength; {
		rand.Read(b)
		if at := int(b[0] & 63); at < len(digits) {
			otp = append(otp, digits[at])
		}
	}
	return otp
}

// CancelRootGeneration ends it, if there is one.
func (n *Node) CancelRootGeneration() error {
	_, k, err := n.unsealed()
	if err != nil {
		return err
	}
	k.ceremonies.mu.Lock()
	defer k.ceremonies.mu.Unlock()
	k.ceremonies.endRootLocked()
	return nil
}

func (c *ceremonies) endRootLocked() {
	if c.root != nil {
		c.root.end()
	}
	c.root = nil
}

// A GeneratedRoot is what came of a share. Encoded is the new token: masked with the one-time
// password, in unpadded base64, or encrypted, in padded base64. It is nil unless it was just made.
type GeneratedRoot struct {
	Status   RootGenerationStatus
	Encoded  []byte
	Accessor string // of the token, for the usage record
}

// GiveRootGenerationShare takes one share. With the last one a root token is made, in the name of
// the operator, if begins, which is called before, does not refuse.
func (n *Node) GiveRootGenerationShare(
	ctx context.Context, o vault.Operator, nonce string, share seal.Plaintext, begins func() error,
) (GeneratedRoot, error) {
	m, k, err := n.unsealed()
	if err != nil {
		return GeneratedRoot{}, err
	}
	c := &k.ceremonies
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.root
	if r == nil {
		return GeneratedRoot{}, &CeremonyError{"no root generation in progress"}
	}
	if err := r.named(nonce); err != nil {
		return GeneratedRoot{}, err
	}
	if m.sealRecord().Lock != r.record.Lock { // these shares are no authority any more
		c.endRootLocked()
		return GeneratedRoot{}, ErrResealed
	}
	complete, err := r.add(share)
	if err != nil || !complete {
		return GeneratedRoot{Status: r.status()}, err
	}
	done := r.status()
	if err := r.prove(begins); err != nil {
		return GeneratedRoot{}, err
	}
	encoded, accessor, err := k.makeRootLocked(ctx, o, r)
	return GeneratedRoot{done, encoded, accessor}, err
}

// makeRootLocked makes the token, which ends the root generation, and encodes it for who gets it.
func (k *keys) makeRootLocked(
	ctx context.Context, o vault.Operator, r *rootGeneration,
) (encoded []byte, accessor string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(k.working, cancel)() // sealing waits for nobody
	token, accessor, err := k.vaults.NewRootToken(ctx, o, r.record.Lock)
	if errors.Is(err, vault.ErrOtherShares) {
		k.ceremonies.endRootLocked()
		return nil, "", ErrResealed
	}
	if err != nil {
		return nil, "", err
	}
	defer token.Zero()
	defer k.ceremonies.endRootLocked()
	if r.to == nil {
		return mask(token, r.otp), accessor, nil
	}
	message, err := encryptedFor(r.to, token)
	return base64.StdEncoding.AppendEncode(nil, message), accessor, err
}

// mask is unpadded base64 of a xor b, which are of one length.
func mask(a, b []byte) []byte {
	masked := make([]byte, len(a))
	subtle.XORBytes(masked, a, b)
	return base64.RawStdEncoding.AppendEncode(nil, masked)
}
