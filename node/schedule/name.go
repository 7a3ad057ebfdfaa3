package schedule

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Name tells a snapshot from all others. There is no secret in it.
type Name struct {
	Cluster string    // id, 32 hex digits
	Due     time.Time // UTC, in whole seconds
	History
}

// A History tells apart what a cluster was before and after it was recovered, or went back to a
// snapshot. The zero one is that of a cluster to which neither has happened.
type History struct {
	Generation uint64 // of recoveries
	Recovered  string // 8 hex digits that no two recoveries share; "" for generation 0
	Restores   uint64 // how often it went back to a snapshot
}

// after says whether a history began later than another one. Of recoveries from the same folder or
// file neither is the later.
func (h History) after(other History) bool {
	return cmp.Or(cmp.Compare(h.Generation, other.Generation),
		cmp.Compare(h.Restores, other.Restores)) > 0
}

const (
	prefix       = "keyquorum-"
	suffix       = ".snap"
	dueLayout    = "20060102T150405Z"
	clusterLen   = 32
	recoveredLen = 8
)

// String is the name of the file: "keyquorum-CLUSTER-20060102T150405Z.snap". Of a cluster that was
// recovered it goes on behind the time, as "-g1-0a1b2c3d", and of one that went back to a snapshot
// as "-r1".
func (n Name) String() string {
	name := prefix + n.Cluster + "-" + n.Due.UTC().Format(dueLayout)
	if n.Generation > 0 {
		name += fmt.Sprintf("-g%d-%s", n.Generation, n.Recovered)
	}
	if n.Restores > 0 {
		name += fmt.Sprintf("-r%d", n.Restores)
	}
	return name + suffix
}

// ParseName reads what String wrote, and nothing else.
func ParseName(file string) (n Name, ok bool) {
	rest, ours := strings.CutPrefix(file, prefix)
	rest, ends := strings.CutSuffix(rest, suffix)
	parts := strings.Split(rest, "-")
	if !ours || !ends || len(parts) < 2 || !isHex(parts[0], clusterLen) {
		return Name{}, false
	}
	due, err := time.Parse(dueLayout, parts[1])
	n = Name{Cluster: parts[0], Due: due}
	parts = parts[2:]
	if len(parts) >= 2 && isHex(parts[1], recoveredLen) {
		n.Generation, n.Recovered, parts = counted(parts[0], "g"), parts[1], parts[2:]
	}
	if len(parts) >= 1 {
		n.Restores = counted(parts[0], "r")
	}
	if err != nil || n.String() != file {
		return Name{}, false
	}
	return n, true
}

// counted is the number behind a letter, 0 where there is none.
func counted(part, letter string) uint64 {
	digits, _ := strings.CutPrefix(part, letter)
	number, _ := strconv.ParseUint(digits, 10, 64)
	return number
}

func isHex(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}
