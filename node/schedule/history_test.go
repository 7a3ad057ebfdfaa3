package schedule_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/node/schedule"
	"keyquorum/testcluster"
)

// snapshot saves one at node 0, and restore gives it back.
func (k *keep) snapshot() []byte { return k.raw("GET", nil, http.StatusOK) }

func (k *keep) restore(file []byte) { k.raw("POST", file, http.StatusNoContent) }

func (k *keep) raw(method string, body []byte, want int) []byte {
	k.t.Helper()
	r, err := http.NewRequestWithContext(k.t.Context(), method,
		k.c.URL(0)+"/v1/sys/storage/raft/snapshot", bytes.NewReader(body))
	must(k.t, err)
	r.Header.Set("X-Vault-Token", k.c.Token)
	answer, err := k.c.Client(0).Do(r)
	must(k.t, err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	must(k.t, err)
	if answer.StatusCode != want {
		k.t.Fatalf("%s answers %d: %s", method, answer.StatusCode, content)
	}
	return content
}

// hasOf waits for the snapshot of a history, and no longer than a failover takes.
func (k *keep) hasOf(generation, restores uint64) schedule.Name {
	k.t.Helper()
	for end := time.Now().Add(failover); ; time.Sleep(time.Second) {
		kept, err := schedule.Folder(k.dir).List(k.t.Context())
		must(k.t, err)
		at := slices.IndexFunc(kept, func(f schedule.Kept) bool {
			return f.Generation == generation && f.Restores == restores
		})
		if at >= 0 {
			return kept[at].Name
		}
		if time.Now().After(end) {
			k.t.Fatalf("there is no snapshot of generation %d after %d restores, only %v", generation,
				restores, kept)
		}
	}
}

// A cluster that went back to a snapshot, or was recovered, has one taken at once, though there is
// one of the same interval. That stays as it is.
func TestEachHistoryHasItsOwn(t *testing.T) {
	heavy.Test(t)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		plan := schedule.Plan{Every: 24 * time.Hour, Keep: 1,
			Stores: []schedule.Store{schedule.Folder(dir)}}
		k := &keep{t, testcluster.New(t, 3, func(_ int, config *node.Config) {
			config.Snapshots = plan
		}), dir}
		k.c.Witness(nil)
		first := k.hasOf(0, 0)
		before, err := os.ReadFile(schedule.Folder(dir).Path(first))
		must(t, err)

		k.restore(k.snapshot())
		k.hasOf(0, 1)
		k.c.MoveAll() // which recovers it from its folders
		must(t, k.c.Recover())
		once := k.hasOf(1, 1)
		k.c.MoveAll()
		must(t, k.c.Recover())
		twice := k.hasOf(2, 1)

		if once.Recovered == twice.Recovered || len(twice.Recovered) != 8 {
			t.Errorf("the recoveries are %q and %q", once.Recovered, twice.Recovered)
		}
		after, err := os.ReadFile(schedule.Folder(dir).Path(first))
		if err != nil || !bytes.Equal(before, after) {
			t.Errorf("the first one was written over (%v)", err)
		}
		if got := k.kept(); len(got) != 4 || got[0] != got[3] {
			t.Errorf("of one interval there are %v", got)
		}
	})
}
