package storage

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/raft"
)

// snapshotFormat is the version of a snapshot's folder that this release writes, and the newest
// that it reads.
const snapshotFormat = 1

// A snapshotName is <term>-<index>-<milliseconds since 1970>, in decimal without leading zeros.
// Raft calls it the ID.
type snapshotName struct {
	term, index uint64
	ms          int64
}

func (n snapshotName) String() string { return fmt.Sprintf("%d-%d-%d", n.term, n.index, n.ms) }

// compare orders by age: terms never fall as indexes rise, so term first is index first. The time
// only tells apart snapshots of one state.
func (n snapshotName) compare(other snapshotName) int {
	return cmp.Or(cmp.Compare(n.term, other.term), cmp.Compare(n.index, other.index),
		cmp.Compare(n.ms, other.ms))
}

// parseSnapshotName accepts only what String writes, so a name can't lead out of its folder.
func parseSnapshotName(s string) (snapshotName, bool) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 {
		return snapshotName{}, false
	}
	term, err1 := strconv.ParseUint(parts[0], 10, 64)
	index, err2 := strconv.ParseUint(parts[1], 10, 64)
	ms, err3 := strconv.ParseInt(parts[2], 10, 64)
	n := snapshotName{term, index, ms}
	return n, err1 == nil && err2 == nil && err3 == nil && n.String() == s
}

// A snapshotManifest is the file that makes a folder a snapshot.
type snapshotManifest struct {
	Format             int              `json:"format"`
	ID                 string           `json:"id"`
	Raft               int              `json:"raft_version"` // raft.SnapshotVersion
	Index              uint64           `json:"index"`
	Term               uint64           `json:"term"`
	ConfigurationIndex uint64           `json:"configuration_index"`
	Servers            []snapshotServer `json:"servers"`
	Size               int64            `json:"size"`   // of the state, in bytes
	SHA256             string           `json:"sha256"` // of the state, 64 hex
	Check              string           `json:"check"`
}

// A snapshotServer is one server of the Raft configuration.
type snapshotServer struct {
	ID       string `json:"id"`
	Address  string `json:"address"`
	Suffrage string `json:"suffrage"` // Raft's own word: Voter, Nonvoter, Staging
}

func (m *snapshotManifest) checksum() *string { return &m.Check }

var suffrages = map[string]raft.ServerSuffrage{
	raft.Voter.String():    raft.Voter,
	raft.Nonvoter.String(): raft.Nonvoter,
	raft.Staging.String():  raft.Staging,
}

// toServers refuses what JSON could not give back unchanged.
func toServers(c raft.Configuration) ([]snapshotServer, error) {
	servers := make([]snapshotServer, 0, len(c.Servers))
	for _, s := range c.Servers {
		if !utf8.ValidString(string(s.ID)) || !utf8.ValidString(string(s.Address)) {
			return nil, fmt.Errorf("id or address of server %q is not UTF-8", s.ID)
		}
		servers = append(servers, snapshotServer{string(s.ID), string(s.Address), s.Suffrage.String()})
	}
	return servers, nil
}

// meta is what Raft sees.
func (m snapshotManifest) meta() *raft.SnapshotMeta {
	var c raft.Configuration
	for _, s := range m.Servers {
		c.Servers = append(c.Servers, raft.Server{
			ID: raft.ServerID(s.ID), Address: raft.ServerAddress(s.Address), Suffrage: suffrages[s.Suffrage],
		})
	}
	return &raft.SnapshotMeta{
		Version: raft.SnapshotVersion(m.Raft), ID: m.ID, Index: m.Index, Term: m.Term,
		Configuration: c, ConfigurationIndex: m.ConfigurationIndex, Size: m.Size,
	}
}

func decodeSnapshotManifest(b []byte) (snapshotManifest, error) {
	var m snapshotManifest
	if err := decodeDocument(b, &m, snapshotFormat); err != nil {
		return m, err
	}
	return m, m.validate()
}

func (m snapshotManifest) validate() error {
	name, ok := parseSnapshotName(m.ID)
	switch {
	case m.Format != snapshotFormat:
		return fmt.Errorf("of unknown format %d", m.Format)
	case m.Raft != int(raft.SnapshotVersionMax):
		return fmt.Errorf("of Raft's unknown snapshot version %d", m.Raft)
	case !ok || name.index != m.Index || name.term != m.Term:
		return fmt.Errorf("at odds with itself: id %.80q, term %d, index %d", m.ID, m.Term, m.Index)
	case m.Servers == nil:
		return fmt.Errorf("without servers")
	case m.Size < 0 || !isHex(m.SHA256, 64):
		return fmt.Errorf("without the state's size or SHA-256")
	}
	for _, s := range m.Servers {
		if _, ok := suffrages[s.Suffrage]; !ok {
			return fmt.Errorf("of a server with the unknown suffrage %.40q", s.Suffrage)
		}
	}
	return nil
}
