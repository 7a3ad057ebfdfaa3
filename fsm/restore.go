package fsm

import (
	"bufio"
	"crypto/sha256"

	"errors"
	"fmt"

	"io"
	"strings"

	"github.com/hashicorp/raft"
)

// readSnapshot makes a draft of the state in a snapshot, which must be what write makes of it to
// the last byte. The entries behind the vouched state are applied anew, signatures and all; one of
// them must vouch for it.
func readSnapshot(r io.Reader, c *checker) (*draft, error) {
	sr := &snapshotReader{in: bufio.NewReaderSize(r, 64<<10), sha: sha256.New()}
	d := newDraft(c)
	err := sr.read(d, c)
	if sr.err != nil { // the cause of what was wrong after it
		err = sr.err
	}
	if err != nil {
		return nil, fmt.Errorf("fsm: snapshot: %w", err)
	}
	return d, nil
}

func (r *snapshotReader) read(d *draft, c *checker) error {
	if magic := r.bytes(uint32(len(snapshotMagic)), maxPath); r.err == nil &&
		string(magic) != snapshotMagic {
		return fmt.Errorf("it begins with %q, not as a snapshot of Keyquorum", magic)
	}
	if version := r.byte(); r.err == nil && version != snapshotVersion {
		return unknownVersion(version, snapshotVersion)
	}
	if err := r.vouched(d); err != nil {
		return err
	}
	if err := d.beginTail(c.anchor); err != nil {
		return err
	}
	if err := r.tail(d, c); err != nil {
		return err
	}
	return r.end(d)
}

// vouched reads the state that somebody vouched for.
func (r *snapshotReader) vouched(d *draft) error {
	d.index, d.generation = r.uint64(), r.uint64()
	if tag := r.byte(); r.err == nil && tag != tagConfiguration {
		return fmt.Errorf("%q where the configuration should be", tag)
	}
	if err := r.configuration(d); err != nil {
		return err
	}
	if tag := r.byte(); r.err == nil && tag != tagAccount {
		return fmt.Errorf("%q where the account should be", tag)
	}
	if err := r.account(d); err != nil {
		return err
	}
	if err := r.elements(d); err != nil {
		return err
	}
	if err := d.deriveDirectories(); err != nil {
		return err
	}
	if err := d.deriveGraves(); err != nil {
		return err
	}
	d.digest = d.sum.digest(d.index, d.generation)
	return r.endOfState(d)
}

// elements reads up to and with the tag of the end mark.
func (r *snapshotReader) elements(d *draft) error {
	readers := map[byte]func(*draft) error{tagRecord: r.record, tagDirectory: r.directory,
		tagDecision: r.decision, tagGrave: r.grave, tagPast: r.past}
	order := map[byte]int{tagRecord: 1, tagDirectory: 2, tagDecision: 3, tagGrave: 4, tagPast: 5,
		tagEnd: 6}
	for previous := byte(0); ; {
		tag := r.byte()
		if r.err != nil {
			return r.err
		}
		if order[tag] < max(1, order[previous]) {
			return fmt.Errorf("element %q after %q", tag, previous)
		}
		if tag == tagEnd {
			return nil
		}
		if err := readers[tag](d); err != nil {
			return err
		}
		r.counts[tag]++
		previous = tag
	}
}

func (r *snapshotReader) configuration(d *draft) error {
	index, n := r.uint64(), int(r.uint16())
	var c raft.Configuration
	for range n {
		s := raft.Server{Suffrage: raft.ServerSuffrage(r.byte())}
		s.ID = raft.ServerID(r.string(maxServerField))
		s.Address = raft.ServerAddress(r.string(maxServerField))
		if r.err != nil {
			return r.err
		}
		c.Servers = append(c.Servers, s)
	}
	if r.err != nil {
		return r.err
	}
	if index > d.index || index == 0 && n > 0 {
		return fmt.Errorf("the configuration has index %d, the state %d", index, d.index)
	}
	d.configure(c, index)
	return validConfiguration(c)
}

func (r *snapshotReader) account(d *draft) error {
	a := account{refused: r.uint64(), refusedAt: r.uint64(), erasedAt: r.uint64()}
	if r.err != nil {
		return r.err
	}
	if a.refusedAt > d.index || a.erasedAt > d.index || a.refused > a.refusedAt ||
		(a.refused == 0) != (a.refusedAt == 0) {
		return fmt.Errorf("%d entries refused, the last at %d, something erased at %d, in a state of index %d",
			a.refused, a.refusedAt, a.erasedAt, d.index)
	}
	d.reckon(a)
	return nil
}

func (r *snapshotReader) grave(d *draft) error {
	path, deleted := r.string(maxPath), r.uint64()
	if r.err != nil {
		return r.err
	}
	if err := validPath(path); err != nil {
		return err
	}
	if last, _, ok := d.graves.Max(); ok && path <= last {
		return fmt.Errorf("the grave of %q is out of order", path)
	}
	if _, there := d.records.Get(path); there {
		return fmt.Errorf("%q has a record and a grave", path)
	}
	d.dig(path, deleted)
	return d.withinWindow(deleted)
}

func (r *snapshotReader) past(d *draft) error {
	index, digest := r.uint64(), [32]byte{}
	r.fill(digest[:])
	if r.err != nil {
		return r.err
	}
	if last, _, ok := d.past.Max(); ok && index <= last {
		return fmt.Errorf("the digest at index %d is out of order", index)
	}
	if index >= d.index || d.index-index > IDWindow {
		return fmt.Errorf("a digest at index %d in a state of index %d", index, d.index)
	}
	d.remind(index, digest)
	return nil
}

func (r *snapshotReader) record(d *draft) error {
	path := r.string(maxPath)
	record := &Record{Logical: r.uint64(), Mod: r.uint64()}
	record.Value = r.bytes(r.uint32(), MaxTxnBytes)
	if r.err != nil {
		return r.err
	}
	if err := validPath(path); err != nil {
		return err
	}
	if last, _, ok := d.records.Max(); ok && path <= last {
		return fmt.Errorf("record %q is out of order", path)
	}
	if record.Mod == 0 || record.Mod > d.index || record.Logical >= record.Mod {
		return fmt.Errorf("record %q has mod index %d and logical version %d in a state of index %d",
			path, record.Mod, record.Logical, d.index)
	}
	d.put(path, record)
	return d.reread(path, record)
}

// reread keeps what the state machine itself reads of its records.
func (d *draft) reread(path string, r *Record) (err error) {
	switch path {
	case PathKeys:
		d.line, err = DecodeLine(r.Value)
	case PathMembers:
		d.members, err = DecodeMembers(r.Value)
	case PathRestored:
		d.restored = r.Mod
		_, err = DecodeRestoration(r.Value)
	}
	return err
}

func (r *snapshotReader) directory(d *draft) error {
	path, own := r.string(maxPath), r.uint64()
	if r.err != nil {
		return r.err
	}
	if err := (Condition{Kind: DirUnchanged, Path: path}).valid(0); err != nil {
		return err
	}
	if last, _, ok := d.directories.Max(); ok && path <= last {
		return fmt.Errorf("directory %q is out of order", path)
	}
	d.directories.Set(path, directory{own: own, below: own})
	d.move(path, 0, own)
	return d.withinWindow(own)
}

func (r *snapshotReader) decision(d *draft) error {
	o, id := Outcome{Index: r.uint64()}, ID{}
	r.fill(id[:])
	o.Kind, o.At, o.Path = OutcomeKind(r.byte()), r.uint64(), r.string(maxPath)
	if r.err != nil {
		return r.err
	}
	if err := d.withinWindow(o.Index); err != nil {
		return err
	}
	if last, _, ok := d.decisions.Max(); ok && o.Index <= last {
		return fmt.Errorf("the outcome at index %d is out of order", o.Index)
	}
	if _, twice := d.outcome(id); twice || id == (ID{}) {
		return fmt.Errorf("the id of the outcome at index %d is zero or not the first of its kind",
			o.Index)
	}
	if o.Kind < Applied || o.Kind > WrongGeneration || (o.Kind == Conflict) != (o.Path != "") ||
		o.At != 0 && o.Kind != Conflict {
		return fmt.Errorf("the outcome at index %d makes no sense", o.Index)
	}
	d.decide(id, o, nil, nil)
	return nil
}

// withinWindow refuses an index from which the state would have forgotten everything, or that it
// has not reached.
func (d *draft) withinWindow(index uint64) error {
	if index == 0 || index > d.index || d.index-index > IDWindow {
		return fmt.Errorf("index %d in a state of index %d", index, d.index)
	}
	return nil
}

func (r *snapshotReader) endOfState(d *draft) error {
	for _, tag := range countedTags {
		if n := r.uint64(); r.err == nil && n != r.counts[tag] {
			return fmt.Errorf("the end mark counts %d elements %q where there were %d", n, tag,
				r.counts[tag])
		}
	}
	return r.digest(d)
}

func (r *snapshotReader) digest(d *draft) error {
	var stored [32]byte
	r.fill(stored[:])
	if r.err == nil && stored != d.digest {
		return digestError{stored: stored, computed: d.digest}
	}
	return r.err
}

// end reads what follows the tail's last tag.
func (r *snapshotReader) end(d *draft) error {
	if n, index := r.uint64(), r.uint64(); r.err == nil &&
		(n != r.counts[tagLast] || index != d.index) {
		return fmt.Errorf("the end counts %d entries up to %d where there were %d up to %d", n, index,
			r.counts[tagLast], d.index)
	}
	if err := r.digest(d); err != nil {
		return err
	}
	checksum := [32]byte(r.sha.Sum(nil))
	var found [32]byte
	r.fill(found[:])
	if r.err != nil {
		return r.err
	}
	if found != checksum {
		return errors.New("its checksum is wrong: it was damaged")
	}
	if _, err := r.in.ReadByte(); err != io.EOF {
		return errors.New("something follows its end")
	}
	if d.vouched == nil {
		return errUnvouched
	}
	return nil
}

type digestError struct{ stored, computed [32]byte }

func (e digestError) Error() string {
	return fmt.Sprintf("its state has digest %x, but it was written with %x: it was altered",
		e.computed, e.stored)
}

// deriveDirectories works out what the elements leave out: when something changed anywhere below
// each directory, and which directories each transaction touched.
func (d *draft) deriveDirectories() (err error) {
	d.directories.Copy().Scan(func(path string, dir directory) bool {
		if o, ok := d.decisions.Get(dir.own); !ok || o.outcome.Kind != Applied {
			err = fmt.Errorf("directory %q changed at index %d, where nothing was applied", path, dir.own)
		}
		for end := len(path); end > 0; end = strings.LastIndexByte(path[:end-1], '/') + 1 {
			above, _ := d.directories.Get(path[:end])
			above.below = max(above.below, dir.own)
			d.directories.Set(path[:end], above)
		}
		return err == nil
	})
	d.directories.Scan(func(path string, dir directory) bool {
		d.noteTouched(dir.below, path)
		if dir.own != 0 && dir.own != dir.below {
			d.noteTouched(dir.own, path)
		}
		return err == nil
	})
	return err
}

// deriveGraves works out which transaction dug each grave.
func (d *draft) deriveGraves() (err error) {
	d.graves.Scan(func(path string, deleted uint64) bool {
		decision, ok := d.decisions.Get(deleted)
		if !ok || decision.outcome.Kind != Applied || deleted > d.account.erasedAt {
			err = fmt.Errorf("%q was deleted at index %d, where nothing was", path, deleted)
		}
		decision.graves = append(decision.graves, path)
		d.decisions.Set(deleted, decision)
		return err == nil
	})
	return err
}

func (d *draft) noteTouched(index uint64, path string) {
	decision, _ := d.decisions.Get(index)
	decision.touched = append(decision.touched, path)
	d.decisions.Set(index, decision)
}
