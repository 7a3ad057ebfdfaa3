package vault

import (
	"bytes"
	"errors"
	"time"

	"github.com/fxamacker/cbor/v2"

	"keyquorum/seal"
)

// A stored record is, inside its sealed envelope,
//
//	shape ‖ deterministic CBOR array (RFC 8949 section 4.2.1) ‖ tail
//
// The tail is raw bytes up to the end: a secret's value or a private key, so that reading one
// copies nothing and checking the encoding never touches it. Records without secret bytes have no
// tail. Decoding is strict: what decodes encodes back to the same bytes. The shape is one byte,
// 0x01 for a kind's first: what is stored in an older one is read for ever, and written in the
// newest.
type shaped interface{ shape() byte }

// shapeOf gives the first byte of records of meta's type.
func shapeOf(meta any) byte {
	if s, ok := meta.(shaped); ok {
		return s.shape()
	}
	return 0x01
}

var (
	errRecordVersion = errors.New("vault: record of an unknown shape")
	errRecordForm    = errors.New("vault: record is not in its one encoding")
)

var encoding, decoding = codec()

func codec() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.EncOptions{
		Sort:        cbor.SortCoreDeterministic,
		IndefLength: cbor.IndefLengthForbidden,
		TagsMd:      cbor.TagsForbidden,
	}.EncMode()
	if err != nil {
		panic(err) // the options above are constants
	}
	dec, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		UTF8:             cbor.UTF8RejectInvalid,
		MaxNestedLevels:  4,
		MaxArrayElements: 1 << 10,
		MaxMapPairs:      1 << 6,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}

// encodeRecord gives the stored form of meta, one of the structs below, and a tail, of one part or
// of more.
func encodeRecord(meta any, tail ...[]byte) (seal.Plaintext, error) {
	m, err := encoding.Marshal(meta)
	if err != nil {
		return nil, err
	}
	size := 1 + len(m)
	for _, part := range tail {
		size += len(part)
	}
	b := make(seal.Plaintext, 0, size) // never grown: that would leave a copy of the tail behind
	b = append(b, shapeOf(meta))
	b = append(b, m...)
	for _, part := range tail {
		b = append(b, part...)
	}
	return b, nil
}

// decodeRecord is the inverse of encodeRecord. The tail is part of b.
func decodeRecord[M any](b []byte) (meta M, tail []byte, err error) {
	if len(b) == 0 || b[0] != shapeOf(&meta) {
		return meta, nil, errRecordVersion
	}
	tail, err = decoding.UnmarshalFirst(b[1:], &meta)
	if err != nil {
		return meta, nil, err
	}
	again, err := encoding.Marshal(meta)
	if err != nil {
		return meta, nil, err
	}
	if !bytes.Equal(again, b[1:len(b)-len(tail)]) {
		return meta, nil, errRecordForm
	}
	return meta, tail, nil
}

// decodeWhole decodes a record without a tail.
func decodeWhole[M any](b []byte) (*M, error) {
	meta, tail, err := decodeRecord[M](b)
	if err == nil && len(tail) != 0 {
		err = errRecordForm
	}
	return &meta, err
}

// sealRecord seals a record for its path. A tail is sealed apart, so that a listing need not open
// it.
func sealRecord(k *seal.Keyring, path string, logical uint64, record []byte) ([]byte, error) {
	meta, tail, err := cut(record)
	switch {
	case err != nil:
		return nil, err
	case len(tail) == 0:
		return k.Seal(nil, path, logical, record)
	default:
		return k.SealApart(nil, path, logical, meta, tail)
	}
}

// cut gives the two parts of a record.
func cut(record []byte) (meta, tail []byte, err error) {
	if len(record) == 0 {
		return nil, nil, errRecordForm
	}
	var array cbor.RawMessage
	tail, err = decoding.UnmarshalFirst(record[1:], &array)
	return record[:len(record)-len(tail)], tail, err
}

// A vaultRecord is a vault: vaultname/<folded name>. Whatever is done in a vault is held to it, so
// that a vault that is not live has nothing written below it but by its purge.
type vaultRecord struct {
	_               struct{} `cbor:",toarray"`
	ID              string   // 32 hex, never reused
	Name            string   // folded
	RetentionDays   int      // of deleted objects, and of the vault itself
	PurgeProtection bool     // once on, never off
	Created         int64
	State           state
	Deleted         int64 // Unix seconds; 0 while live
	Purge           int64 // scheduled purge, Unix seconds; 0 while live
	WeakAlgorithms  bool  // RSA1_5 and AES-CBC may be used
}

func (vaultRecord) shape() byte { return 0x02 }

// A vaultRecord1 is the shape before vaults could be deleted.
type vaultRecord1 struct {
	_               struct{} `cbor:",toarray"`
	ID              string
	Name            string
	RetentionDays   int
	PurgeProtection bool
	Created         int64
}

// upgraded is the same vault in the newest shape: live, and with every algorithm.
func (r *vaultRecord1) upgraded() *vaultRecord {
	return &vaultRecord{ID: r.ID, Name: r.Name, RetentionDays: r.RetentionDays,
		PurgeProtection: r.PurgeProtection, Created: r.Created,
		WeakAlgorithms: true}
}

func decodeVault(b []byte) (*vaultRecord, error) {
	if len(b) > 0 && b[0] == 0x01 {
		old, err := decodeWhole[vaultRecord1](b)
		return old.upgraded(), err
	}
	r, err := decodeWhole[vaultRecord](b)
	if err == nil && r.State > purging {
		err = errRecordForm
	}
	return r, err
}

// endOfRetention is when what is deleted now will be purged, in Unix seconds.
func (r *vaultRecord) endOfRetention(now time.Time) int64 {
	return now.Add(time.Duration(r.RetentionDays) * 24 * time.Hour).Unix()
}

// recoveryLevel is Azure's word for what deletion means in the vault.
func (r *vaultRecord) recoveryLevel() string {
	switch {
	case r.RetentionDays == 90 && r.PurgeProtection:
		return "Recoverable"
	case r.RetentionDays == 90:
		return "Recoverable+Purgeable"
	case r.PurgeProtection:
		return "CustomizedRecoverable"
	default:
		return "CustomizedRecoverable+Purgeable"
	}
}

// A head is an object as a whole: vault/<id>/<kind>/<folded name>. Every change of the object but
// those of a single version's attributes changes it, so that one condition covers set, delete,
// recover and purge.
type head struct {
	_       struct{} `cbor:",toarray"`
	Name    string   // as first spelt
	Current string   // 32 hex: the latest version
	State   state
	Deleted int64 // Unix seconds; 0 while live
	Purge   int64 // scheduled purge, Unix seconds; 0 while live
}

// A state is that of an object or of a vault.
type state uint8

const (
	live    state = 0
	deleted state = 1
	purging state = 2 // some of it is gone: it can only go on to nothing

	// Of an object: some versions are not there yet; Current is the mark of the backup that they come
	// from, and Deleted when the first came. Nobody sees such an object.
	restoring state = 3
)

func decodeHead(b []byte) (*head, error) {
	h, err := decodeWhole[head](b)
	if err == nil && h.State > restoring {
		err = errRecordForm
	}
	return h, err
}

// overdue says that nothing but its purge is left: its retention is over, or a purge was begun.
func overdue(s state, purge int64, now time.Time) bool {
	return s == purging || s == deleted && purge <= now.Unix()
}

// restoreLife is how long after its first step what a restore has left may be gone on with.
const restoreLife = 24 * time.Hour

// due is when the object is to be purged, in Unix seconds; 0: at once. A live one never is.
func (h *head) due() int64 {
	switch h.State {
	case purging:
		return 0
	case restoring:
		return h.Deleted + int64(restoreLife/time.Second)
	default:
		return h.Purge
	}
}

func (h *head) overdue(now time.Time) bool { return h.State != live && h.due() <= now.Unix() }

func (h *head) deletion() *Deletion {
	if h.State == live {
		return nil
	}
	return &Deletion{Deleted: h.Deleted, Purge: h.Purge}
}

// storedAttributes are the attributes that a version keeps of its own; the others are the vault's.
type storedAttributes struct {
	_                  struct{} `cbor:",toarray"`
	Enabled            bool
	NotBefore, Expires *int64
	Created, Updated   int64
}

func (a storedAttributes) in(r *vaultRecord) Attributes {
	return Attributes{Enabled: a.Enabled, NotBefore: a.NotBefore, Expires: a.Expires,
		Created: a.Created, Updated: a.Updated,
		RecoverableDays: r.RetentionDays, RecoveryLevel: r.recoveryLevel()}
}

// newAttributes are those of a version that is made now.
func newAttributes(ch Change, now time.Time) storedAttributes {
	return storedAttributes{Enabled: true, Created: now.Unix()}.with(ch, now)
}

// with applies what a request supplied.
func (a storedAttributes) with(ch Change, now time.Time) storedAttributes {
	if ch.Enabled != nil {
		a.Enabled = *ch.Enabled
	}
	if ch.NotBefore != nil {
		a.NotBefore = ch.NotBefore
	}
	if ch.Expires != nil {
		a.Expires = ch.Expires
	}
	a.Updated = now.Unix()
	return a
}

// validWindow refuses a version that would expire before it is valid.
func (a storedAttributes) validWindow() error {
	if a.NotBefore != nil && a.Expires != nil && *a.Expires < *a.NotBefore {
		return badParameter("Property exp is before nbf.")
	}
	return nil
}

// A principalRecord is an application: app/<client id>.
type principalRecord struct {
	_           struct{} `cbor:",toarray"`
	ClientID    string
	OID         string
	Name        string
	Enabled     bool
	Created     int64
	Credentials []credentialRecord
}

// A credentialRecord is a client secret, by its SHA-256: 256 random bits need no slow hash.
type credentialRecord struct {
	_       struct{} `cbor:",toarray"`
	ID      string
	Hash    [32]byte
	Created int64
	Ends    int64 // Unix seconds; 0: never
}

func (r credentialRecord) ended(now time.Time) bool { return r.Ends != 0 && now.Unix() >= r.Ends }

// An appNameRecord leads from a name to its application: appname/<folded name>.
type appNameRecord struct {
	_        struct{} `cbor:",toarray"`
	ClientID string
}

// An accessRecord is what a principal may do in a vault, in Azure's words: vault/<id>/access/<oid>.
type accessRecord struct {
	_        struct{} `cbor:",toarray"`
	ClientID string
	Keys     []string
	Secrets  []string
}

// A tokenRecord is an operator's token: token/<hex of its SHA-256>.
type tokenRecord struct {
	_           struct{} `cbor:",toarray"`
	Accessor    string
	DisplayName string
	Policies    []string
	Created     int64
}

func decodeToken(b []byte) (*tokenRecord, error) { return decodeWhole[tokenRecord](b) }
