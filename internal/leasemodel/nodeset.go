package leasemodel

import (
	"fmt"
	"math/bits"
	"strings"
)

// A NodeSet is a set of nodes.
type NodeSet uint8

func (n NodeSet) has(i int) bool { return n&(1<<i) != 0 }
func (n NodeSet) size() int      { return bits.OnesCount8(uint8(n)) }
func (n NodeSet) majority() int  { return n.size()/2 + 1 }
func firstNodes(n int) NodeSet   { return 1<<n - 1 }

// eachOf calls f with each subset of so many nodes.
func (n NodeSet) eachOf(size int, f func(NodeSet)) {
	for sub := n; sub > 0; sub = (sub - 1) & n {
		if sub.size() == size {
			f(sub)
		}
	}
}

// String lists a set's nodes.
func (n NodeSet) String() string {
	var names []string
	for i := range maxNodes {
		if n.has(i) {
			names = append(names, fmt.Sprintf("n%d", i))
		}
	}
	return strings.Join(names, " and ")
}
