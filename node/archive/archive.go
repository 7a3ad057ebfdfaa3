// Package archive is the file that a snapshot of a cluster is, for operators: a gzip of a tar of
// four members, which Vault's and OpenBao's clients fetch and send too.
//
//	meta.json          Meta
//	state.bin          the snapshot of the state machine
//	SHA256SUMS         of both, as sha256sum writes it
//	SHA256SUMS.sealed  those sums, sealed under the cluster's keyring
//
// The last member is the mark that all was written: clients refuse a file without it. The package
// knows neither the state machine nor a key.
package archive

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Version is the one that this program writes.
const Version = 1

// Meta says of what an archive is a snapshot.
type Meta struct {
	Version    int       `json:"version"`
	Cluster    string    `json:"cluster"`    // its id, 32 hex digits
	Index      uint64    `json:"index"`      // of the newest entry in the state
	Generation uint64    `json:"generation"` // of restores
	Digest     string    `json:"digest"`     // of the state, 64 hex digits
	Size       int64     `json:"size"`       // bytes of state.bin
	Taken      time.Time `json:"taken"`      // by the clock of the node that took it
	Program    string    `json:"program"`    // its version there
}

const (
	nameMeta   = "meta.json"
	nameState  = "state.bin"
	nameSums   = "SHA256SUMS"
	nameSealed = "SHA256SUMS.sealed"
)

// Bounds of the small members, in bytes. They are read into memory.
const (
	maxMeta   = 16 << 10
	maxSealed = 16 << 10
)

// Write writes an archive. state writes the state's snapshot, the same bytes each time: it is
// called twice, since a tar says of each member first how long it is. seal seals the sums.
// m.Version and m.Size are filled in.
func Write(w io.Writer, m Meta, state func(io.Writer) error,
	seal func(sums []byte) ([]byte, error)) error {
	sum := sha256.New()
	measured := &counter{w: sum}
	if err := state(measured); err != nil {
		return err
	}
	m.Version, m.Size = Version, measured.n
	meta, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	meta = append(meta, '\n')
	sums := sumsOf(sha256.Sum256(meta), [32]byte(sum.Sum(nil)))
	sealed, err := seal(sums)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed) // most of it is ciphertext
	if err != nil {
		return err
	}
	t := &writer{tar.NewWriter(z), m.Taken}
	if err := errors.Join(t.file(nameMeta, meta), t.begin(nameState, m.Size), state(t),
		t.file(nameSums, sums), t.file(nameSealed, sealed)); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}

// A writer writes the members of the tar.
type writer struct {
	*tar.Writer
	taken time.Time
}

func (t *writer) begin(name string, size int64) error {
	return t.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: t.taken,
		Format: tar.FormatPAX,
	})
}

func (t *writer) file(name string, b []byte) error {
	if err := t.begin(name, int64(len(b))); err != nil {
		return err
	}
	_, err := t.Write(b)
	return err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

func sumsOf(meta, state [32]byte) []byte {
	return fmt.Appendf(nil, "%s  %s\n%s  %s\n", hex.EncodeToString(meta[:]), nameMeta,
		hex.EncodeToString(state[:]), nameState)
}
