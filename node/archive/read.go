package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// An Archive is what was read of one, but for the state.
type Archive struct {
	Meta   Meta
	Sums   []byte
	Sealed []byte // Sums under the keyring of the cluster
}

// errIncomplete: the file ends too early, or what it holds is no archive.
var errIncomplete = errors.New(
	"the snapshot is incomplete: it was cut off, or is no snapshot of Keyquorum")

// Read reads an archive to its last byte. state is handed the state's snapshot, and what Meta says
// of it, and reads all of it; its error is Read's. A state of more than maxState bytes is refused
// before it is read, so that no small file becomes a large one. Whatever is wrong with the file is
// an error that says so; only Sealed is taken as it is, since that takes a key.
func Read(r io.Reader, maxState int64, state func(Meta, io.Reader) error) (Archive, error) {
	in := bufio.NewReaderSize(r, 64<<10) // gzip takes no byte of it that is behind its end
	z, err := gzip.NewReader(in)
	if err != nil {
		return Archive{}, fmt.Errorf("%w (%w)", errIncomplete, err)
	}
	z.Multistream(false)
	a, err := read(tar.NewReader(z), maxState, state)
	if err != nil {
		return Archive{}, err
	}
	if err := rest(z); err != nil {
		return Archive{}, err
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return Archive{}, errTrailing
	}
	return a, nil
}

var errTrailing = errors.New("something follows the end of the snapshot")

func read(t *tar.Reader, maxState int64, state func(Meta, io.Reader) error) (Archive, error) {
	meta, err := small(t, nameMeta, maxMeta)
	if err != nil {
		return Archive{}, err
	}
	m, err := decodeMeta(meta)
	if err != nil {
		return Archive{}, err
	}
	sum := sha256.New()
	if err := readState(t, m, maxState, sum, state); err != nil {
		return Archive{}, err
	}
	sums := sumsOf(sha256.Sum256(meta), [32]byte(sum.Sum(nil)))
	found, err := small(t, nameSums, int64(len(sums)))
	if err != nil {
		return Archive{}, err
	}
	if !bytes.Equal(found, sums) {
		return Archive{}, errors.New("the checksums of the snapshot are wrong: it was damaged or altered")
	}
	sealed, err := small(t, nameSealed, maxSealed)
	if err != nil {
		return Archive{}, err
	}
	if len(sealed) == 0 {
		return Archive{}, errIncomplete
	}
	if _, err := t.Next(); err == nil {
		return Archive{}, errTrailing
	} else if err != io.EOF {
		return Archive{}, fmt.Errorf("%w (%w)", errIncomplete, err)
	}
	return Archive{m, sums, sealed}, nil
}

func readState(t *tar.Reader, m Meta, maxState int64, sum io.Writer,
	state func(Meta, io.Reader) error) error {
	size, err := next(t, nameState)
	if err != nil {
		return err
	}
	if size != m.Size {
		return fmt.Errorf("the state has %d bytes, and should have %d", size, m.Size)
	}
	if size > maxState {
		return fmt.Errorf("the state has %d bytes, and at most %d are read", size, maxState)
	}
	content := &counter{w: sum}
	err = state(m, io.TeeReader(t, content))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w (%w)", errIncomplete, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return err
	}
	if content.n != size {
		return fmt.Errorf("%d of the state's %d bytes were read: something follows its end", content.n,
			size)
	}
	return nil
}

func decodeMeta(b []byte) (m Meta, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("%s of the snapshot can't be read: %w", nameMeta, err)
	}
	if m.Version != Version {
		return m, fmt.Errorf("the snapshot has version %d, and this program reads version %d", m.Version,
			Version)
	}
	if !hexOf(m.Cluster, 32) || !hexOf(m.Digest, 64) || !plain(m.Program) {
		return m, fmt.Errorf("%s of the snapshot says what no node writes: it was altered", nameMeta)
	}
	return m, nil
}

func hexOf(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}

// plain says whether a text may be shown on a terminal: short, and printable ASCII.
func plain(s string) bool {
	return len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// next goes to the member that must come now. Whatever else stands there, a path, a link or another
// file, is refused unread.
func next(t *tar.Reader, name string) (size int64, err error) {
	h, err := t.Next()
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w (%w)", errIncomplete, noEOF(err))
	case h.Name != name || h.Typeflag != tar.TypeReg:
		return 0, fmt.Errorf("the snapshot has %.80q where %s should be", h.Name, name)
	}
	return h.Size, nil
}

func small(t *tar.Reader, name string, most int64) ([]byte, error) {
	size, err := next(t, name)
	if err != nil {
		return nil, err
	}
	if size > most {
		return nil, fmt.Errorf("%s of the snapshot has %d bytes, and at most %d are read", name, size,
			most)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(t, b); err != nil {
		return nil, fmt.Errorf("%w (%w)", errIncomplete, noEOF(err))
	}
	return b, nil
}

// rest reads what gzip has behind the tar: zeros that fill its last block, and the checksum.
func rest(z io.Reader) error {
	tail, err := io.ReadAll(io.LimitReader(z, maxPadding))
	if err != nil {
		return fmt.Errorf("%w (%w)", errIncomplete, err)
	}
	if len(tail) == maxPadding || len(bytes.Trim(tail, "\x00")) > 0 {
		return errTrailing
	}
	return nil
}

// maxPadding is more than any tar ends in.
const maxPadding = 64 << 10

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
