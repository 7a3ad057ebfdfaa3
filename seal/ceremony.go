package seal

import (
	"bytes"
	"sync"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"
)

// A Ceremony collects shares for one seal record, or for one lock. It is safe for concurrent use.
type Ceremony struct {
	unprintable

	record Record // without a wrapped root key if there is a lock only

	mu     sync.Mutex
	shares []*[shareSize]byte // each verified, ids distinct
}

// NewCeremony begins without shares. r comes from [Init] or [DecodeRecord]; the zero Record takes
// no share.
func NewCeremony(r Record) *Ceremony { return &Ceremony{record: r} }

// NewLockCeremony begins without shares too. It is for whoever has no seal record yet: enough
// shares [Ceremony.Unlock] it.
func NewLockCeremony(l Lock) *Ceremony { return NewCeremony(Record{Lock: l}) }

// Add checks one share on its own and keeps a copy of it. It returns the progress after it.
func (c *Ceremony) Add(share Plaintext) (progress int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	Do(func() { err = c.add(share) })
	return len(c.shares), err
}

// Check says why a share is none of this seal's, nil if it is one. It is not added.
func (c *Ceremony) Check(share Plaintext) (err error) {
	Do(func() { err = c.check(share) })
	return err
}

func (c *Ceremony) check(raw []byte) error {
	if _, err := parseShare(raw); err != nil {
		return err
	}
	if !c.record.issued(raw) {
		return ErrShareForeign
	}
	return nil
}

func (c *Ceremony) add(raw []byte) error {
	if err := c.check(raw); err != nil {
		return err
	}
	for _, kept := range c.shares {
		if kept[0] == raw[0] { // a share of the record with this id has this value: there is only one
			return ErrShareDuplicate
		}
	}
	c.shares = append(c.shares, (*[shareSize]byte)(bytes.Clone(raw)))
	return nil
}

// Progress is the number of different good shares given so far.
func (c *Ceremony) Progress() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.shares)
}

// Reset forgets the shares.
func (c *Ceremony) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset()
}

func (c *Ceremony) reset() {
	for _, s := range c.shares {
		clear(s[:])
	}
	c.shares = nil
}

// Unlock recovers what the shares give when Progress has reached the threshold, and resets the
// ceremony. Below the threshold it returns ErrShareMissing and keeps the shares.
func (c *Ceremony) Unlock() (o *Opener, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.shares) == 0 || len(c.shares) < c.record.Threshold {
		return nil, ErrShareMissing
	}
	defer c.reset()
	Do(func() { o, err = c.unlock() })
	return o, err
}

func (c *Ceremony) unlock() (*Opener, error) {
	scalar, err := c.recoverScalar()
	if err != nil {
		return nil, err
	}
	return newOpener(c.record.Lock, scalar)
}

// Open is Unlock, and the root key of the record that the ceremony was begun with. As every share
// was checked when it was added, ErrWrongKey and ErrTampered mean that the record was altered.
func (c *Ceremony) Open() (*Root, error) {
	o, err := c.Unlock()
	if err != nil {
		return nil, err
	}
	defer o.drop()
	return o.Root(c.record)
}

// recoverScalar joins the first shares up to the threshold. circl's Recover panics on equal ids and
// checks nothing; add has seen to both.
func (c *Ceremony) recoverScalar() (group.Scalar, error) {
	shares := make([]secretsharing.Share, c.record.Threshold)
	for i := range shares {
		s, err := parseShare(c.shares[i][:])
		if err != nil {
			return nil, err
		}
		shares[i] = s
	}
	return secretsharing.Recover(uint(len(shares)-1), shares)
}
