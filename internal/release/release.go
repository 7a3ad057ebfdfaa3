// Package release says which releases of Keyquorum work together. One number does it, the level. A
// program knows the levels from Oldest to Newest. A cluster has one level, which stands in its state
// and only rises, when all its members know the next one. Whatever a release adds that its
// predecessor can't read or apply belongs to a level, and waits until the cluster is there.
//
// So a program knows two levels at most: its own release's and that of the release before. Two nodes
// may talk where they know a level in common.
//
// The package judges plain data. Package cluster hears what nodes say, and raises the level.
package release

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Level is what a cluster has agreed to use.
type Level uint32

const (
	// Silent is the level of programs that say nothing of levels, and of a state that names none.
	Silent Level = 1
	// Telling: nodes tell their levels with each call, and stop at a verb that they don't know.
	Telling Level = 2

	oldest, newest = Silent, Telling // that this program knows
)

// A Feature waits until the cluster has its level.
type Feature struct {
	Name  string // for people, as the subject of a sentence
	Level Level
}

// verbs are those of the state machine that wait, by their number. One that is not here every
// program knows.
var verbs = map[uint8]Feature{
	5: {"a change of the unseal shares", Telling},
	7: {"a restore into a running cluster", Telling},
}

// Of is what a verb waits for; the zero Feature, of level 0, waits for nothing.
func Of(verb uint8) Feature { return verbs[verb] }

// Dropping is of terms of the keyring: a program of level Silent may sign under a newer term what it
// sealed under one that is dropped.
var Dropping = Feature{"dropping terms of the keyring", Telling}

// Demotion is a change of members that takes a vote away: programs of level Silent refuse it.
var Demotion = Feature{"taking a member's vote away", Telling}

// A Release is what a node says of its program.
type Release struct {
	Version        string // for people; "" where the program said nothing
	Oldest, Newest Level  // that it knows
}

// Own is this program's.
func Own(version string) Release { return Release{version, oldest, newest} }

// maxVersion bounds the text that a node calls its version, in bytes.
const maxVersion = 64

// Encode is what a node says: "1-2 0.1.0". A version that can't be said is left out.
func (r Release) Encode() string {
	levels := fmt.Sprintf("%d-%d", r.Oldest, r.Newest)
	if !sayable(r.Version) {
		return levels
	}
	return levels + " " + r.Version
}

// Parse reads what another node said: foreign bytes. Who says nothing is of level Silent.
func Parse(said string) (Release, error) {
	if said == "" {
		return Release{Oldest: Silent, Newest: Silent}, nil
	}
	levels, version, named := strings.Cut(said, " ")
	low, high, _ := strings.Cut(levels, "-")
	from, err := parseLevel(low)
	to, err2 := parseLevel(high)
	r := Release{version, from, to}
	if err = errors.Join(err, err2); err != nil || from > to || named && !sayable(version) {
		return Release{}, fmt.Errorf("release: %.100q says no levels", said)
	}
	return r, nil
}

func parseLevel(s string) (Level, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && (n == 0 || strconv.FormatUint(n, 10) != s) {
		err = strconv.ErrSyntax
	}
	return Level(n), err
}

// sayable: a version has the characters of Semantic Versioning, and no others.
func sayable(version string) bool {
	return version != "" && len(version) <= maxVersion &&
		strings.IndexFunc(version, func(c rune) bool {
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			return !letter && (c < '0' || c > '9') && !strings.ContainsRune(".+-", c)
		}) < 0
}

// String is for people: "0.1.0 (levels 1 to 2)".
func (r Release) String() string {
	version := r.Version
	if version == "" {
		version = "a release that says no version"
	}
	if r.Oldest == r.Newest {
		return fmt.Sprintf("%s (level %d)", version, r.Newest)
	}
	return fmt.Sprintf("%s (levels %d to %d)", version, r.Oldest, r.Newest)
}

// Refuses says why a node of this release does not talk with one of another, in a cluster of a
// level: a sentence without its subject, the other node. "": it does.
func (r Release) Refuses(other Release, cluster Level) string {
	switch {
	case other.Oldest > r.Newest || other.Newest < r.Oldest:
		return fmt.Sprintf("runs %s, and this node runs %s: they know no level in common. "+
			"Go from one release to the next, and skip none", other, r)
	case cluster == 0: // a member that knows no state yet
		return ""
	}
	if why := other.Outside(cluster); why != "" {
		return "runs " + why
	}
	return ""
}

// Outside says why this release can't take part in a cluster of a level; "" where it can.
func (r Release) Outside(cluster Level) string {
	switch {
	case r.Newest < cluster:
		return fmt.Sprintf("%s, and the cluster is at level %d already: a cluster never goes back. "+
			"Start a newer release on that node", r, cluster)
	case r.Oldest > cluster:
		return fmt.Sprintf("%s, and the cluster is at level %d yet: upgrade all nodes to a release "+
			"that knows level %[2]d first", r, cluster)
	}
	return ""
}

// recordVersion begins the record of the cluster's level.
const recordVersion = 1

// EncodeRecord is what stands at Path in the state.
func EncodeRecord(l Level) []byte {
	return binary.BigEndian.AppendUint32([]byte{recordVersion}, uint32(l))
}

// Path is that of the cluster's level in the state, in the clear. It only rises.
const Path = "sys/level"

// DecodeRecord reads it. A state without one is of level Silent. What can't be read is of a level
// that nobody knows yet.
func DecodeRecord(value []byte, found bool) Level {
	switch {
	case !found:
		return Silent
	case len(value) != 5 || value[0] != recordVersion:
		return 1<<32 - 1
	}
	return Level(binary.BigEndian.Uint32(value[1:]))
}
