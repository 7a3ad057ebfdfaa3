package throng

import (
	"container/list"
	"net"
	"net/netip"
)

// A source is where a connection comes from, as far as one peer has it to itself: whoever has an
// IPv6 address has all of its /64.
type source string

func sourceOf(addr net.Addr) source {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil { // a network of a test
		return source(addr.String())
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is6() {
		prefix, _ := ip.Prefix(64)
		return source(prefix.String())
	}
	return source(ip.String())
}

// An origin is the connections of one source whose peers are not known.
type origin struct {
	groups []group // by standing
	all    int
}

func (o *origin) idlest() (found *Place) {
	for s := range o.groups {
		if front := o.groups[s].Front(); front != nil {
			found = idler(found, front.Value.(*Place))
		}
	}
	return found
}

// A group is the connections of one source and one standing, *Place, the idlest first.
type group struct {
	list.List
	at *list.Element // where its rank has it, by its size; nil while it is empty
}

// A rank is the connections of one standing.
type rank struct {
	idle    list.List    // of *Place, the idlest first
	sizes   []*list.List // of *group, by how many places they have
	largest int          // the greatest size that a group has
}

// resize puts a group that has one place more, or less, among those of its size.
func (r *rank) resize(g *group, by int) {
	size := g.Len()
	if g.at != nil {
		r.sizes[size-by].Remove(g.at)
		g.at = nil
	}
	if size > 0 {
		for len(r.sizes) <= size {
			r.sizes = append(r.sizes, list.New())
		}
		g.at = r.sizes[size].PushBack(g)
	}
	switch {
	case size > r.largest:
		r.largest = size
	case by < 0 && size+1 == r.largest && r.sizes[r.largest].Len() == 0:
		r.largest = size
	}
}

// few is how many connections of a standing any source may have and not count as one that has many:
// a client opens some at once, and a flood may come from more addresses than there are places.
const few = 8

// victim is the idlest of the source that has most. Where none has many it is the idlest of all, as
// it is of those who are known.
func (r *rank) victim() *Place {
	if r.largest > few {
		g := r.sizes[r.largest].Front().Value.(*group)
		return g.Front().Value.(*Place)
	}
	return r.idle.Front().Value.(*Place)
}
