package seal

import (
	"crypto/hmac"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
)

var (
	// ErrWrapperFields says that the name, the kind, the description or the bytes of a wrapper are
	// not as they must be, or that there are too many wrappers.
	ErrWrapperFields = errors.New("seal: at most 8 wrappers; a name has 1 to 64 characters " +
		"of a-z, 0-9 and -, and stands once")
	// ErrWrappersAltered says that a list of wrappers is not as the cluster made it: one was added,
	// dropped or changed by somebody without the root key.
	ErrWrappersAltered = errors.New("seal: the list of wrappers was altered")

	errWrappingKey = errors.New("seal: a wrapping key has 32 bytes")
)

// A Wrapper is another way to the root key than the shares: a key that is not the cluster's, a
// foreign key, opens a wrapping key, and that opens the root key and the join key. Without the
// foreign key it is worth nothing. It belongs to one lock. It is a value, as [Record] is.
//
// The foreign key never wraps the root key itself: whoever keeps it sees a wrapping key, which is
// good for nothing but beside the record.
type Wrapper struct {
	Name  string // that operators gave it
	Kind  string // of the foreign key: "age"
	About string // which one it is, for people; not secret

	wrapped string // the wrapping key, as the foreign key wraps it
	sealed  string // a box under the wrapping key, bound to the lock and all above
}

const (
	maxWrappers    = 8
	maxWrapperName = 64
	maxKind        = 32
	maxAbout       = 512
	maxWrapped     = 4096
	sealedWrapped  = boxOverhead + 2*keySize
)

// Wrap makes a wrapper of the root key for a seal record with the lock of this root key. foreign
// has the foreign key wrap a wrapping key, which is of this wrapper alone; it keeps nothing of it.
func (r *Root) Wrap(l Lock, w Wrapper, foreign func(key Plaintext) ([]byte, error)) (
	Wrapper, error,
) {
	var key *[keySize]byte
	Do(func() { key = randomKey() })
	defer clear(key[:])
	wrapped, err := foreign(key[:])
	if err != nil {
		return Wrapper{}, err
	}
	w.wrapped, w.sealed = string(wrapped), ""
	err = r.use(func(root []byte) error {
		if l.ClusterID != r.clusterID || l.Generation != r.generation {
			return errGeneration
		}
		b, err := newBox(key[:], labelWrapped)
		if err != nil {
			return err
		}
		plain := slices.Concat(root, r.join[:])
		defer clear(plain)
		sealed, err := b.seal(nil, plain, w.place(l))
		w.sealed = string(sealed)
		return err
	})
	if err == nil {
		err = w.check()
	}
	if err != nil {
		return Wrapper{}, err
	}
	return w, nil
}

// Open unwraps the root key. foreign has the foreign key open the wrapping key, which Open
// overwrites. ErrWrongKey and ErrTampered: what it gave is not the wrapping key, or the record was
// altered.
//
// Whoever opens a root key has to ask it whether it vouches for the list that the wrapper is in.
func (w Wrapper) Open(l Lock, foreign func(wrapped []byte) (Plaintext, error)) (
	root *Root, err error,
) {
	if err := w.check(); err != nil {
		return nil, err
	}
	key, err := foreign([]byte(w.wrapped))
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	if len(key) != keySize {
		return nil, errWrappingKey
	}
	Do(func() { root, err = w.unwrap(l, key) })
	return root, err
}

func (w Wrapper) unwrap(l Lock, wrapping []byte) (*Root, error) {
	b, err := newBox(wrapping, labelWrapped)
	if err != nil {
		return nil, err
	}
	plain, err := b.open(nil, []byte(w.sealed), w.place(l))
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	key, join := [keySize]byte(plain), [keySize]byte(plain[keySize:])
	return newRoot(l, &key, &join), nil
}

// place is the associated data of a wrapper's box: all that is known of it.
func (w Wrapper) place(l Lock) []byte {
	place := appendPart(nil, l.Encode())
	for _, part := range []string{w.Name, w.Kind, w.About, w.wrapped} {
		place = appendPart(place, part)
	}
	return place
}

// check is what holds for every wrapper that is stored.
func (w Wrapper) check() error {
	switch {
	case CheckWrapperName(w.Name) != nil:
		return ErrWrapperFields
	case !printable(w.Kind, 1, maxKind), !printable(w.About, 0, maxAbout):
		return fmt.Errorf("%w: what is said of %q is not printable, or too long", ErrWrapperFields,
			w.Name)
	case len(w.wrapped) == 0 || len(w.wrapped) > maxWrapped || len(w.sealed) != sealedWrapped:
		return fmt.Errorf("%w: %q has %d bytes that the foreign key made: 1 to %d", ErrWrapperFields,
			w.Name, len(w.wrapped), maxWrapped)
	}
	return nil
}

// CheckWrapperName returns ErrWrapperFields for what can't be a wrapper's name.
func CheckWrapperName(name string) error {
	if len(name) == 0 || len(name) > maxWrapperName {
		return ErrWrapperFields
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return ErrWrapperFields
		}
	}
	return nil
}

// printable says whether text is least to most bytes of printable ASCII.
func printable(text string, least, most int) bool {
	outside := func(c byte) bool { return c < ' ' || c > '~' }
	return len(text) >= least && len(text) <= most && !slices.ContainsFunc([]byte(text), outside)
}

// WithWrappers is record with this list of wrappers, in the place of the one before it. The root
// key vouches for it.
func (r *Root) WithWrappers(record Record, list []Wrapper) (Record, error) {
	tail, err := appendWrappers(nil, list)
	if err != nil {
		return Record{}, err
	}
	record.revision++
	return r.vouch(record, tail)
}

// BeginWrappers is a record of a new lock with its first list of wrappers. Without any it is record.
func (r *Root) BeginWrappers(record Record, list []Wrapper) (Record, error) {
	if len(list) == 0 {
		return record, nil
	}
	tail, err := appendWrappers(nil, list)
	if err != nil {
		return Record{}, err
	}
	return r.vouch(record, tail)
}

func (r *Root) vouch(record Record, tail []byte) (Record, error) {
	record.list = string(tail)
	sum, err := r.vouchFor(record)
	record.vouched = string(sum)
	return record, err
}

// Vouches returns nil for a record whose list of wrappers, or whose lack of one, is the cluster's;
// ErrWrappersAltered otherwise. That there has been no newer list it can't tell.
func (r *Root) Vouches(record Record) error {
	if !record.listed() {
		return nil
	}
	sum, err := r.vouchFor(record)
	if err == nil && !hmac.Equal(sum, []byte(record.vouched)) {
		err = ErrWrappersAltered
	}
	return err
}

// vouchFor is HMAC-SHA-256 of all of a record before it.
func (r *Root) vouchFor(record Record) (sum []byte, err error) {
	err = r.use(func(root []byte) error {
		if record.ClusterID != r.clusterID || record.Generation != r.generation {
			return errGeneration
		}
		key, err := derive(root, labelWrappers, record.context())
		if err != nil {
			return err
		}
		sum = mac(key, record.beforeVouched())
		return nil
	})
	return slices.Clone(sum), err
}

// Equals says whether two root keys are the same one, with the same join key. A closed one equals
// none.
func (r *Root) Equals(other *Root) bool {
	if r == other {
		return false
	}
	same := 0
	_ = r.use(func(key []byte) error {
		return other.use(func(its []byte) error {
			same = subtle.ConstantTimeCompare(key, its) &
				subtle.ConstantTimeCompare(r.join[:], other.join[:])
			return nil
		})
	})
	return same == 1
}
