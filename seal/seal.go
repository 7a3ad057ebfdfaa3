// Package seal holds unseal shares, root key and keyring; it seals and opens records. Nothing else touches key material at rest.
package seal

import "errors"

var (
	// ErrSealed is returned by a Keyring or Root that was closed.
	ErrSealed = errors.New("sealed")
)

// Plaintext is secret bytes: every way of printing it says [redacted].
type Plaintext []byte

// Zero overwrites the bytes.
func (p Plaintext) Zero() { clear(p) }

// A Record is the seal record: threshold, commitments, wrapped root key. It is stored in the clear.
type Record struct {
	ClusterID  [16]byte
	Shares     int
	Threshold  int
	Generation uint64 // counts rekeys
	// commitments, wrapped root key: unexported or exported as the format needs
}

func (r Record) Encode() []byte             { panic("not built yet") }
func DecodeRecord(b []byte) (Record, error) { panic("not built yet") }

// Init makes a new root key and splits its key-encryption key into n shares (33 bytes each), any t of which open it.
func Init(clusterID [16]byte, n, t int) (Record, []Plaintext, *Root, error) { panic("not built yet") }

// A Ceremony collects shares for one seal record.
type Ceremony struct{}

func NewCeremony(r Record) *Ceremony { panic("not built yet") }

// Share errors, told apart so that the holder knows what is wrong. Progress survives each.
var (
	ErrShareLength    = errors.New("seal: a share is 33 bytes")
	ErrShareMalformed = errors.New("seal: not a share") // id zero, scalar not canonical
	ErrShareForeign   = errors.New("seal: share does not belong to this cluster's current key")
	ErrShareDuplicate = errors.New("seal: share was given already")
)

// Add checks one share on its own and keeps it. It returns the progress after it.
func (c *Ceremony) Add(share Plaintext) (progress int, err error) { panic("not built yet") }
func (c *Ceremony) Progress() int                                 { panic("not built yet") }
func (c *Ceremony) Reset()                                        { panic("not built yet") }

// Open recovers the root key when Progress has reached the threshold, and resets the ceremony.
func (c *Ceremony) Open() (*Root, error) { panic("not built yet") }

// A Root is the unwrapped root key.
type Root struct{}

func (r *Root) NewKeyring() (*Keyring, error)            { panic("not built yet") }
func (r *Root) WrapKeyring(k *Keyring) ([]byte, error)   { panic("not built yet") }
func (r *Root) UnwrapKeyring(b []byte) (*Keyring, error) { panic("not built yet") }

// JoinMAC is HMAC-SHA-256 under the join key over the length-prefixed parts (decision 17).
func (r *Root) JoinMAC(parts ...[]byte) ([]byte, error) { panic("not built yet") }
func (r *Root) Close()                                  { panic("not built yet") }

// A Keyring maps terms to data keys.
type Keyring struct{}

// Seal seals plaintext for a path and logical version under the newest term. The result is appended to dst.
func (k *Keyring) Seal(dst []byte, path string, logical uint64, plaintext []byte) ([]byte, error) {
	panic("not built yet")
}

// Open opens what was sealed for exactly this path and logical version.
func (k *Keyring) Open(path string, logical uint64, sealed []byte) (Plaintext, error) {
	panic("not built yet")
}

func (k *Keyring) Term() uint32  { panic("not built yet") }
func (k *Keyring) Rotate() error { panic("not built yet") }
func (k *Keyring) Close()        { panic("not built yet") }

// Do runs f so that what it leaves in registers, stack and heap is erased, where the build supports it (runtime/secret).
func Do(f func()) { panic("not built yet") }

// Protected says whether Do erases (built with GOEXPERIMENT=runtimesecret on Linux amd64/arm64).
func Protected() bool { panic("not built yet") }

// Harden switches core dumps off and makes the process non-dumpable; call it once at start.
func Harden() error { panic("not built yet") }
