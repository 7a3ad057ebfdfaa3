package main

import (
	"fmt"
	"math/bits"
)

// A key is a state in as few bits as its numbers need. Equal states have equal keys and the other way round.
type key [6]uint64

// A coder writes the numbers of a state into a key, or reads them back. One list of numbers (state.code) serves both, so
// they can't differ.
type coder struct {
	key     key
	word    int
	used    uint
	reading bool
}

func (m *Model) pack(s *State) key {
	var c coder
	m.code(&c, s)
	return c.key
}

func (m *Model) unpack(k key) (s State) {
	m.code(&coder{key: k, reading: true}, &s)
	return s
}

// number codes a number of a few bits.
func (c *coder) number(v *uint8, width uint) {
	if c.used+width > 64 {
		c.word, c.used = c.word+1, 0
	}
	if c.reading {
		*v = uint8(c.key[c.word] >> c.used & (1<<width - 1))
	} else {
		if *v>>width != 0 {
			panic(fmt.Sprintf("%d does not fit into %d bits", *v, width))
		}
		c.key[c.word] |= uint64(*v) << c.used
	}
	c.used += width
}

func (c *coder) flag(v *bool) {
	var n uint8
	if *v {
		n = 1
	}
	c.number(&n, 1)
	*v = n != 0
}

// Widths in bits.
const (
	indexBits = 3 // up to maxLog, and one more
	ticksBits = 2 // up to maxTicks
	termBits  = 2 // up to maxTerms
)

func (m *Model) code(c *coder, s *State) {
	m.codeEntries(c, &s.chosen)
	c.number(&s.e, indexBits)
	c.number(&s.shown, indexBits)
	c.number(&s.since, ticksBits)
	for _, left := range []*uint8{&s.writes, &s.reads, &s.fences, &s.crashes, &s.changes} {
		c.number(left, 2)
	}
	for i := range m.Nodes {
		m.codeNode(c, &s.nodes[i])
	}
	for t := 1; t <= m.Terms; t++ {
		m.codeLeader(c, &s.leaders[t])
	}
}

func (m *Model) codeEntries(c *coder, l *entries) {
	c.number(&l.len, indexBits)
	for i := range l.len {
		c.number((*uint8)(&l.at[i]), termBits+kindBits)
	}
}

func (m *Model) codeNode(c *coder, n *node) {
	if m.Log > 0 {
		m.codeEntries(c, &n.log)
	}
	c.number(&n.term, termBits)
	c.number(&n.applied, indexBits)
	c.number(&n.lease, ticksBits)
	c.number(&n.leaseOf, termBits)
	c.number((*uint8)(&n.grant.state), 2)
	c.number(&n.grant.by, termBits)
	c.number(&n.grant.of, termBits)
	c.number(&n.grant.left, ticksBits)
	c.number(&n.silent, ticksBits)
	c.number(&n.slowed, ticksBits)
	c.number(&n.floor, indexBits)
	c.flag(&n.unmapped)
	c.number(&n.told, indexBits)
	c.number(&n.unmarked, indexBits)
	m.codeRead(c, &n.read)
}

func (m *Model) codeRead(c *coder, r *read) {
	c.number((*uint8)(&r.phase), 3)
	if r.phase == idle {
		return
	}
	c.flag(&r.fenced)
	c.number((*uint8)(&r.paths), 2)
	c.number(&r.must, indexBits)
	c.number(&r.view[0], indexBits)
	c.number(&r.view[1], indexBits)
	c.number(&r.age, ticksBits)
	c.flag(&r.marks)
}

func (m *Model) codeLeader(c *coder, l *leader) {
	c.flag(&l.elected)
	if !l.elected {
		return
	}
	c.flag(&l.alive)
	c.number(&l.node, 2)
	c.number(&l.opens, indexBits)
	c.number(&l.own, ticksBits)
	c.flag(&l.pending)
	c.number(&l.e, indexBits)
	c.number(&l.last, indexBits)
	c.number(&l.frozen, indexBits)
	c.flag(&l.waits)
	for i := range m.Nodes {
		if l.waits {
			c.number(&l.until[i], 3)
		}
		c.number(&l.table[i], ticksBits)
	}
}

// hash spreads keys over a table.
func (k *key) hash() uint64 {
	h := uint64(0)
	for _, word := range k {
		high, low := bits.Mul64(h^word^0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93)
		h = high ^ low
	}
	return h
}
