package powercut

import (
	"bytes"
	"maps"
	"slices"
)

const sectorSize = 512

// A Disk knows what may be on disk of one file. The power may be cut after each step that is
// applied.
type Disk struct {
	image   []byte            // as it was at first, and as long as the file is now
	sectors map[int64]*sector // those that were written, by number
}

// A sector holds one of its options after a power cut. The last is what a reader saw before it.
type sector struct {
	before [][]byte // what it may have held at the last sync
	since  [][]byte // what was written to it since
}

// NewDisk is a disk that holds image for certain. image is the disk's from now on.
func NewDisk(image []byte) *Disk { return &Disk{image: image, sectors: map[int64]*sector{}} }

// Apply does a step.
func (d *Disk) Apply(s Step) {
	d.grow(max(s.Size, s.Offset+int64(len(s.New))))
	switch s.Kind {
	case Write:
		for i := 0; i < len(s.New); i += sectorSize {
			at := d.sector(s.Offset/sectorSize + int64(i/sectorSize))
			at.since = append(at.since, s.New[i:i+sectorSize])
		}
	case Synced:
		for _, at := range d.sectors {
			if n := len(at.since); n > 0 {
				at.before, at.since = at.since[n-1:], nil
			}
		}
	case SyncFailed:
		for _, at := range d.sectors {
			at.before, at.since = at.options(), nil
		}
	}
}

func (d *Disk) grow(size int64) {
	if n := size - int64(len(d.image)); n > 0 {
		d.image = append(d.image, make([]byte, n)...)
	}
}

func (d *Disk) sector(number int64) *sector {
	if at := d.sectors[number]; at != nil {
		return at
	}
	from := number * sectorSize
	at := &sector{before: [][]byte{bytes.Clone(d.image[from : from+sectorSize])}}
	d.sectors[number] = at
	return at
}

// options leaves out what changes nothing.
func (s *sector) options() (all [][]byte) {
	for _, content := range slices.Concat(s.before, s.since) {
		if n := len(all); n == 0 || !bytes.Equal(all[n-1], content) {
			all = append(all, content)
		}
	}
	return all
}

// Doubtful is the number of sectors of which it is not certain what they hold.
func (d *Disk) Doubtful() (n int) {
	for _, at := range d.sectors {
		if len(at.options()) > 1 {
			n++
		}
	}
	return n
}

// State is what a reader finds after a power cut now. pick is asked for each doubtful sector, in
// the order of the file, which of its contents it shall be: from 0, the oldest, to options-1, the
// newest, which is what readers saw before.
func (d *Disk) State(pick func(options int) int) []byte {
	state := bytes.Clone(d.image)
	for _, number := range slices.Sorted(maps.Keys(d.sectors)) {
		options := d.sectors[number].options()
		choice := 0
		if len(options) > 1 {
			choice = pick(len(options))
		}
		copy(state[number*sectorSize:], options[choice])
	}
	return state
}
