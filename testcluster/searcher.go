package testcluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"keyquorum/seal"
)

// A Searcher has the shares and a keyring, and looks for what they can still open in copies of
// folders: in the log and the snapshots as the product reads them, and in every file at any offset,
// so in pages that a database has freed and in files that nobody reads any more.
type Searcher struct {
	c       *Cluster
	keyring *seal.Keyring
}

// A Place is where a record stood: what was sealed for it opens there only. Size is that of the
// sealed value, 0 where it is not known; then it is told from what stands before the value.
type Place struct {
	Path    string
	Logical uint64
	Size    int
}

// A Find is something that opens.
type Find struct {
	Place
	File      string // below the data folder
	Offset    int64  // -1: read as the product reads
	Plaintext []byte
}

func (f Find) String() string {
	return fmt.Sprintf("%s for version %d in %s at %d", f.Path, f.Logical, f.File, f.Offset)
}

// Searcher unwraps the keyring that stands in node i's folder.
func (c *Cluster) Searcher(i int) *Searcher {
	c.t.Helper()
	return &Searcher{c, c.Keyring(i)}
}

// Search copies node i's data folder and returns all in it that opens and is wanted. Records of log
// and snapshots are tried where they stand; what is found elsewhere is tried at the places.
func (s *Searcher) Search(i int, wanted func(plaintext []byte) bool, places []Place) []Find {
	s.c.t.Helper()
	dir, err := s.c.copyFolder(s.c.Data(i))
	s.c.must(err)
	finds, err := s.searchFiles(dir, places)
	s.c.must(errors.Join(err, os.RemoveAll(dir)))
	loot, err := s.c.copyMember(i) // another copy, for to open one is to write to it
	s.c.must(err)
	finds = append(finds, s.searchLoot(loot)...)
	return slices.DeleteFunc(finds, func(f Find) bool { return !wanted(f.Plaintext) })
}

// searchLoot opens what the product would read.
func (s *Searcher) searchLoot(l Loot) (finds []Find) {
	for _, r := range l.Old {
		if plaintext, err := s.keyring.Open(nil, r.Path, r.Logical, r.Value); err == nil {
			place := Place{r.Path, r.Logical, len(r.Value)}
			where := fmt.Sprint("log or snapshot, entry ", r.Mod)
			finds = append(finds, Find{place, where, -1, plaintext})
		}
	}
	return finds
}

func (s *Searcher) searchFiles(dir string, places []Place) (finds []Find, err error) {
	return finds, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		for _, f := range s.SearchBytes(b, places) {
			f.File = name
			finds = append(finds, f)
		}
		return err
	})
}

// SearchBytes looks for sealed records at every offset, and tries each at the places.
func (s *Searcher) SearchBytes(b []byte, places []Place) (finds []Find) {
	for term := uint32(firstKeyringTerm); term <= s.keyring.Term(); term++ {
		head := envelopeHead(term)
		for at := 0; ; at++ {
			next := bytes.Index(b[at:], head)
			if next < 0 {
				break
			}
			at += next
			if !s.begins(b[at:]) {
				continue
			}
			finds = append(finds, s.open(b, at, places)...)
			if whole := at - apartHead; whole >= 0 && b[whole] == apartVersion {
				finds = append(finds, s.open(b, whole, places)...)
			}
		}
	}
	return finds
}

// begins says whether b begins with a record that was sealed under a key of the keyring, whatever
// for. Of any other the commitment is wrong, and the keyring says so first.
func (s *Searcher) begins(b []byte) bool {
	if len(b) < envelopeLeast {
		return false
	}
	_, err := s.keyring.Open(nil, "", 0, b[:envelopeLeast])
	return err == nil || errors.Is(err, seal.ErrTampered)
}

// open tries the record at an offset at all places.
func (s *Searcher) open(b []byte, at int, places []Place) (finds []Find) {
	lengths := lengthsBefore(b, at)
	for _, p := range places {
		sizes := lengths
		if p.Size > 0 {
			sizes = append(slices.Clone(lengths), p.Size)
		}
		for _, size := range sizes {
			if size < envelopeLeast || size > maxEnvelope || at+size > len(b) {
				continue
			}
			if plaintext, err := s.keyring.Open(nil, p.Path, p.Logical, b[at:at+size]); err == nil {
				place := Place{p.Path, p.Logical, size}
				finds = append(finds, Find{place, "", int64(at), plaintext})
				break
			}
		}
	}
	return finds
}

// PlacesOf are the places of all versions that stand in a loot below a prefix.
func (l Loot) PlacesOf(prefix string) (places []Place) {
	for _, r := range l.Old {
		if len(r.Path) >= len(prefix) && r.Path[:len(prefix)] == prefix {
			places = append(places, Place{r.Path, r.Logical, len(r.Value)})
		}
	}
	return places
}
