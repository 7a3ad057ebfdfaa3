package node_test

import (
	"bytes"
	"strings"
	"testing"

	"keyquorum/node"
)

// A snapshot that is written when the keyring has another term than in its view ends with an error,
// and not as a file that nobody can open. The next one opens.
func TestSnapshotAcrossARotationEnds(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		s.makeVaults(0, "kept", 2)
		taken, err := s.nodes[0].Snapshot(t.Context())
		must(t, err)
		_, err = s.nodes[0].RotateKeyring(t.Context())
		must(t, err)
		s.awaitTerm(2, 0)
		var file bytes.Buffer
		if err := taken.Write(&file); err == nil ||
			!strings.Contains(err.Error(), "the keyring was changed while the snapshot was taken") {
			t.Errorf("it is written with %v", err)
		}
		if _, err := node.ReadSnapshot(&file, 1<<30); err == nil {
			t.Error("what was written of it passes for a snapshot")
		}
		s.requireOpens(s.snapshot(0))
	})
}
