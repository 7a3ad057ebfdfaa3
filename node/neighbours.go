package node

import (
	"fmt"
	"strconv"
	"strings"
)

// neighbours refuses a cluster of another version than this program's or one next to it: nodes of
// more than two versions are not tried together. What has no number, as a build for tests, passes.
func neighbours(own, theirs string) error {
	a, ok := numbered(own)
	b, isNumbered := numbered(theirs)
	if !ok || !isNumbered || a.major == b.major && max(a.minor, b.minor)-min(a.minor, b.minor) <= 1 {
		return nil
	}
	return &PeerError{fmt.Sprintf("this node runs version %s, and the cluster %s: install the "+
		"cluster's version on this node, start it, and have it join then", own, theirs)}
}

type release struct{ major, minor uint64 }

// numbered reads the first two numbers of a version, as in 0.1.0-dev.
func numbered(version string) (r release, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return r, false
	}
	var errs [2]error
	r.major, errs[0] = strconv.ParseUint(parts[0], 10, 32)
	r.minor, errs[1] = strconv.ParseUint(parts[1], 10, 32)
	return r, errs[0] == nil && errs[1] == nil
}
