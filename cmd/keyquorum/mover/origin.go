package mover

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// originTag says of each version that was moved which version of the source it was. It is all that
// a later run knows of an earlier one.
const originTag = "imported-from"

const (
	maxBase    = 200 // characters of an origin before the version: more than 55 are left for that
	keptOfBase = 160 // characters that are kept of one that is longer
)

// originBase is what the origins of all versions of a thing begin with. A tag holds 256 characters,
// so one that is too long is told apart by a hash.
func originBase(from string) string {
	if utf8.RuneCountInString(from) <= maxBase {
		return from
	}
	sum := sha256.Sum256([]byte(from))
	return string([]rune(from)[:keptOfBase]) + "..." + hex.EncodeToString(sum[:16])
}

// originOf is the origin of a version.
func originOf(from, version string) string { return originBase(from) + "/" + version }

// isOf says whether an origin is one of a thing's, also of a version that the source has no more.
func isOf(origin, from string) bool {
	base := originBase(from)
	version, ok := strings.CutPrefix(origin, base+"/")
	return origin == base || ok && !strings.Contains(version, "/")
}
