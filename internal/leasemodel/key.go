package leasemodel

import (
	"fmt"
	"math/bits"
	"slices"
	"time"
)

// A key is a state in as few bits as its numbers need. Equal states have equal keys and the other
// way round.
type key [6]uint64

// A coder writes the numbers of a state into a key, or reads them back. One list of numbers
// (Model.code) serves both, so they can't differ.
type coder struct {
	key     key
	word    int
	used    uint
	reading bool
	order   *[maxNodes]int // of the nodes: to each place its node, and the other way round
}

// pack makes a state's key. Where two nodes are twins there are two ways to write a state down, and
// the lesser one is its key: what either of them does the other one may do.
func (m *Model) pack(s *State) key {
	order := &inOrder
	if m.twins {
		a, b := s.nodes[1].sign(), s.nodes[2].sign()
		if a > b {
			order = &swapped
		}
		if a == b {
			return lesser(m.packBy(s, &inOrder), m.packBy(s, &swapped))
		}
	}
	return m.packBy(s, order)
}

func (m *Model) packBy(s *State, order *[maxNodes]int) key {
	c := coder{order: order}
	m.code(&c, s)
	return c.key
}

// sign tells most pairs of nodes apart.
func (n *node) sign() uint64 {
	s := uint64(n.term)<<8 | uint64(n.applied)<<4 | n.core.Table.Term<<12 | uint64(n.log.len)
	s = s<<4 | uint64(n.read.steps.Stage)<<1
	if n.read.on {
		s++
	}
	return s<<16 | uint64((max(n.core.Lease.Until, n.now)-n.now)/tick)
}

// lesser is the lesser of two keys.
func lesser(a, b key) key {
	if slices.Compare(a[:], b[:]) <= 0 {
		return a
	}
	return b
}

// inOrder and swapped are the ways to write nodes down.
var (
	inOrder = [maxNodes]int{0, 1, 2, 3}
	swapped = [maxNodes]int{0, 2, 1, 3}
)

// unpack makes a state from a key.
func (m *Model) unpack(k *key, s *State) {
	c := coder{key: *k, reading: true, order: &inOrder}
	s.shared = shared{}
	m.code(&c, s)
}

// bits codes a number of a few bits.
func (c *coder) bits(v uint64, width uint) uint64 {
	if c.used+width > 64 {
		c.word, c.used = c.word+1, 0
	}
	word := &c.key[c.word]
	if c.reading {
		v = *word >> c.used & (1<<width - 1)
	} else {
		mustFit(v, width)
		*word |= v << c.used
	}
	c.used += width
	return v
}

func mustFit(v uint64, width uint) {
	if v>>width != 0 {
		panic(fmt.Sprintf("%d does not fit into %d bits", v, width))
	}
}

func (c *coder) number(v *uint8, width uint) { *v = uint8(c.bits(uint64(*v), width)) }

func (c *coder) long(v *uint64, width uint) { *v = c.bits(*v, width) }

func (c *coder) flag(v *bool) {
	n := uint64(0)
	if *v {
		n = 1
	}
	*v = c.bits(n, 1) != 0
}

// until codes a time by the ticks that are left. What is over is 0.
func (c *coder) until(v *time.Duration, now time.Duration) {
	left := c.bits(uint64(max(0, *v-now)/tick), ticksBits)
	if c.reading {
		*v = 0
		if left > 0 {
			*v = now + time.Duration(left)*tick
		}
	}
}

// since codes a time by the ticks since then, as far as they count.
func (c *coder) since(v *time.Duration, now time.Duration, most int) {
	passed := c.bits(uint64(min((now-*v)/tick, time.Duration(most))), ticksBits)
	if c.reading {
		*v = now - time.Duration(passed)*tick
	}
}

// Widths in bits.
const (
	indexBits = 3 // up to maxLog, and one more
	ticksBits = 2 // up to a lease and its margin
	termBits  = 2 // up to maxTerms
)

// hash spreads keys over a table.
func (k *key) hash() uint64 {
	h := uint64(0)
	for _, word := range k {
		high, low := bits.Mul64(h^word^0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93)
		h = high ^ low
	}
	return h
}
