package fsm

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// PathRestored holds a Restoration, in the clear: the newest one.
const PathRestored = "sys/restored"

// A restoration puts the records of an earlier day in the place of those of now, all at once. They
// come into the log first, by as many ordinary transactions as it takes, each at its StagePath,
// where nobody reads them. The transaction of verb Restore then moves them to where they belong.
//
// Whatever was decided before that entry and is an ordinary transaction is of another generation
// from then on. So no path needs a grave, and no directory a mark: whoever is heard has seen what
// the entry did.

// stagedDir is where records wait for their restoration.
const stagedDir = "sys/restoring/"

// A Restoration says what a transaction of verb Restore restores.
type Restoration struct {
	_       struct{} `cbor:",toarray"`
	Number  uint64   // of the restorations of this cluster, from 1
	ID      ID       // of the staged records
	Records uint64   // that are staged
	Dirs    []string // what is replaced: all that lies below these, each ending in '/'
	From    Place    // the state that the records are of
	Time    int64    // when it was decided, Unix seconds
}

// maxRestoredDirs bounds Restoration.Dirs.
const maxRestoredDirs = 16

// Encode is what PathRestored holds.
func (r Restoration) Encode() ([]byte, error) { return encodeClear(r) }

// DecodeRestoration decodes what PathRestored holds.
func DecodeRestoration(b []byte) (Restoration, error) {
	r, err := decodeClear[Restoration](b)
	if err == nil {
		err = r.valid()
	}
	if err != nil {
		return Restoration{}, fmt.Errorf("%w: the restoration: %w", errRule, err)
	}
	return r, nil
}

func (r Restoration) valid() error {
	if r.Number == 0 || r.ID == (ID{}) || len(r.Dirs) == 0 || len(r.Dirs) > maxRestoredDirs ||
		!slices.IsSorted(r.Dirs) {
		return fmt.Errorf("number %d, %d directories", r.Number, len(r.Dirs))
	}
	for _, dir := range r.Dirs {
		if err := (Condition{Kind: DirUnchanged, Path: dir}).valid(0); err != nil {
			return err
		}
		if strings.HasPrefix(dir, "sys/") {
			return fmt.Errorf("%q is the cluster's own", dir)
		}
	}
	return nil
}

// Covers says whether a path is in one of the directories that are replaced.
func (r Restoration) Covers(path string) bool {
	return slices.ContainsFunc(r.Dirs, func(dir string) bool { return strings.HasPrefix(path, dir) })
}

// StageDir is the directory of the records that are staged under an id, and StagePath where one of
// them waits. A record has there the value, sealed for its real path, that it is to have.
func StageDir(id ID) string { return stagedDir + hex.EncodeToString(id[:]) + "/" }

// StagePath is described at StageDir.
func StagePath(id ID, path string) string { return StageDir(id) + path }

// RecordPlace is where a record is to be that is staged at a path. Every other path is the place of
// its own record.
func RecordPlace(path string) string {
	if len(path) > len(StageDir(ID{})) && strings.HasPrefix(path, stagedDir) {
		return path[len(StageDir(ID{})):]
	}
	return path
}

// Staged yields the paths of all records that are staged, under whatever id: in a cluster that
// restores nothing they are what a restoration has left that did not end.
func (v View) Staged(yield func(path string, r Record) bool) {
	for path, r := range v.Scan(stagedDir, "") {
		if !yield(path, r) {
			return
		}
	}
}

// Restored is the newest restoration and its index; zero where there was none.
func (v View) Restored() (r Restoration, at uint64) {
	if record, ok := v.state.records.Get(PathRestored); ok {
		r, _ = DecodeRestoration(record.Value)
	}
	return r, v.state.restored
}

// restoration is what a transaction of verb Restore that is allowed restores.
func (t Txn) restoration() Restoration {
	r, _ := DecodeRestoration(t.value(PathRestored))
	return r
}

// outlived says whether a transaction looked at records that were replaced since. What is written
// by the other verbs no restoration touches.
func (s *state) outlived(t Txn) bool {
	return t.Base < s.restored && (t.Verb == Ordinary || t.Verb == Restore)
}

// allowRestoration: the next one, of nothing but what may be restored.
func (d *draft) allowRestoration(t Txn) error {
	r, err := DecodeRestoration(t.value(PathRestored))
	if err != nil {
		return err
	}
	before, _ := (View{state: &d.state}).Restored()
	if r.Number != before.Number+1 {
		return fmt.Errorf("%w: restoration %d after %d", errRule, r.Number, before.Number)
	}
	for path := range d.below(StageDir(r.ID)) {
		if !r.Covers(path) {
			return fmt.Errorf("%w: %q is staged, and no part of what is restored", errRule, path)
		}
	}
	return nil
}

// wholly says whether all that is to be restored is staged, and nothing else. The leader may have
// swept some of it away since the signer counted, which breaks no rule.
func (d *draft) wholly(r Restoration) bool {
	staged := uint64(0)
	for range d.below(StageDir(r.ID)) {
		staged++
	}
	return staged == r.Records
}

// below yields what lies in a directory, by the rest of its path.
func (d *draft) below(dir string) func(func(rest string, r *Record) bool) {
	return func(yield func(string, *Record) bool) {
		d.records.Ascend(dir, func(path string, r *Record) bool {
			rest, ok := strings.CutPrefix(path, dir)
			return ok && yield(rest, r)
		})
	}
}

// restore makes a restoration that is allowed, at index.
func (d *draft) restore(index uint64, r Restoration) {
	var paths []string
	var records []*Record
	for path, staged := range d.below(StageDir(r.ID)) {
		paths = append(paths, path)
		records = append(records, &Record{Value: staged.Value, Logical: staged.Logical, Mod: index})
	}
	for _, dir := range append(slices.Clone(r.Dirs), stagedDir) {
		d.clear(dir)
	}
	for i, path := range paths {
		d.put(path, records[i])
	}
	d.erased(index)
}

// clear drops the records in a directory, and leaves nothing that says so.
func (d *draft) clear(dir string) {
	var gone []string
	for rest := range d.below(dir) {
		gone = append(gone, dir+rest)
	}
	for _, path := range gone {
		if old, ok := d.records.Delete(path); ok {
			d.dropped(path, old)
		}
	}
}
