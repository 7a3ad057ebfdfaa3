package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

const (
	boltBranch      = 0x01 // page flags
	boltLeaf        = 0x02
	boltItemSize    = 16 // of a branch's or leaf's item
	boltItemBucket  = 0x01
	maxBoltOverflow = 64 << 20 // bytes of one page with its overflow; our values are of one megabyte
)

// A boltPages walks the tree of a bolt file by reading, never by mapping. Nothing that it reads is
// trusted.
//
// A page is id u64, flags u16, count u16, overflow u32, then count items of 16 bytes, then keys and
// values. A branch's item is pos u32, key size u32, page u64; a leaf's is flags u32, pos u32, key
// size u32, value size u32. pos counts from the item itself.
type boltPages struct {
	boltMeta
	file *os.File
	seen map[uint64]bool // pages that were reached; a tree reaches each once
}

type visitItem func(key, value []byte, isBucket bool) error

// walk visits the items below a page, in order.
func (p *boltPages) walk(id uint64, keys keyRange, visit visitItem) error {
	page, err := p.read(id)
	if err != nil {
		return err
	}
	if binary.NativeEndian.Uint16(page[8:]) == boltBranch {
		return p.branch(page, keys, visit)
	}
	return p.items(page, keys, visit)
}

// read returns a page with its overflow.
func (p *boltPages) read(id uint64) ([]byte, error) {
	var header [boltPageHeader]byte
	if id < 2 || id >= p.pages {
		return nil, fmt.Errorf("%w (page %d is beyond its %d pages)", errBoltDamaged, id, p.pages)
	}
	if _, err := p.file.ReadAt(header[:], int64(id)*int64(p.pageSize)); err != nil {
		return nil, noEOF(err)
	}
	count := uint64(bolt32(header[12:])) + 1
	if bolt64(header[:]) != id || id+count > p.pages || count*uint64(p.pageSize) > maxBoltOverflow {
		return nil, fmt.Errorf("%w (the header of page %d)", errBoltDamaged, id)
	}
	for i := id; i < id+count; i++ {
		if p.seen[i] {
			return nil, fmt.Errorf("%w (page %d is used twice)", errBoltDamaged, i)
		}
		p.seen[i] = true
	}
	page := make([]byte, count*uint64(p.pageSize))
	_, err := p.file.ReadAt(page, int64(id)*int64(p.pageSize))
	return page, noEOF(err)
}

// branch goes down into each child with the bounds that the keys beside it set.
func (p *boltPages) branch(page []byte, keys keyRange, visit visitItem) error {
	items, err := splitItems(page, keys)
	if err != nil {
		return err
	}
	for i, item := range items {
		below := keyRange{low: item.key, high: keys.high}
		if i+1 < len(items) {
			below.high = items[i+1].key
		}
		if err := p.walk(item.child, below, visit); err != nil {
			return err
		}
	}
	return nil
}

// items visits a leaf's.
func (p *boltPages) items(page []byte, keys keyRange, visit visitItem) error {
	if len(page) < boltPageHeader || binary.NativeEndian.Uint16(page[8:]) != boltLeaf {
		return fmt.Errorf("%w (a page is neither branch nor leaf)", errBoltDamaged)
	}
	items, err := splitItems(page, keys)
	if err != nil {
		return err
	}
	for _, item := range items {
		if err := visit(item.key, item.value, item.isBucket); err != nil {
			return err
		}
	}
	return nil
}

type boltItem struct {
	key, value []byte // value: of a leaf's item
	child      uint64 // of a branch's
	isBucket   bool
	from, to   uint64 // where key and value lie in the page
}

// splitItems cuts a page into its items. Keys must rise, and lie between the keys of the branch
// above. Keys and values must follow the items without a gap, as bolt writes them: that is what
// shows a wrong count, and with it a log cut short.
func splitItems(page []byte, keys keyRange) ([]boltItem, error) {
	branch := binary.NativeEndian.Uint16(page[8:]) == boltBranch
	count := int(binary.NativeEndian.Uint16(page[10:]))
	next := boltPageHeader + count*boltItemSize
	if next > len(page) || count == 0 && (branch || !isZero(page[next:])) {
		return nil, fmt.Errorf("%w (a page of %d items)", errBoltDamaged, count)
	}
	items := make([]boltItem, count)
	for i := range items {
		at := boltPageHeader + i*boltItemSize
		item, ok := leafItem(page, at)
		if branch {
			item, ok = branchItem(page, at)
		}
		rising := i == 0 || bytes.Compare(items[i-1].key, item.key) < 0
		if !ok || !rising || !keys.holds(item.key) || item.from != uint64(next) {
			return nil, fmt.Errorf("%w (item %d of a page)", errBoltDamaged, i)
		}
		items[i], next = item, int(item.to)
	}
	return items, nil
}

// isZero looks at what an empty page would have for its first item: bolt writes pages that were
// cleared.
func isZero(rest []byte) bool {
	return bytes.Count(rest[:min(len(rest), boltItemSize)], []byte{0}) == min(len(rest), boltItemSize)
}

func branchItem(page []byte, at int) (item boltItem, ok bool) {
	keySize := uint64(bolt32(page[at+4:]))
	item.from = uint64(at) + uint64(bolt32(page[at:]))
	item.to = item.from + keySize
	if item.to > uint64(len(page)) {
		return item, false
	}
	item.key, item.child = page[item.from:item.to], bolt64(page[at+8:])
	return item, true
}

func leafItem(page []byte, at int) (item boltItem, ok bool) {
	flags, keySize, valueSize := bolt32(page[at:]), uint64(bolt32(page[at+8:])),
		uint64(bolt32(page[at+12:]))
	item.from = uint64(at) + uint64(bolt32(page[at+4:]))
	item.to = item.from + keySize + valueSize
	if item.to > uint64(len(page)) || flags&^boltItemBucket != 0 {
		return item, false
	}
	item.key, item.value = page[item.from:item.from+keySize], page[item.from+keySize:item.to]
	item.isBucket = flags == boltItemBucket
	return item, true
}
