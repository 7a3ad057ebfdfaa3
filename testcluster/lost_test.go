package testcluster_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/node"
	"keyquorum/testcluster"
)

// What is left of a cluster, one folder or a snapshot, makes a new one that serves what it held and
// grows. Who was a member before is none of it.
func TestLostCluster(t *testing.T) {
	c := testcluster.Loopback(t, 3, nil)
	c.NewVault("demo")
	app := c.NewApp("billing")
	c.Grant(0, "demo", "billing", []string{"all"}, []string{"all"})
	asApp(t, c, app)
	set := func(i int, value string) {
		_, err := at(t, c, i, "demo").secrets.SetSecret(t.Context(), "x",
			azsecrets.SetSecretParameters{Value: to.Ptr(value)}, nil)
		must(t, err)
	}
	want := func(i int, value string) {
		t.Helper()
		got, err := at(t, c, i, "demo").secrets.GetSecret(t.Context(), "x", "", nil)
		must(t, err)
		if *got.Value != value {
			t.Errorf("node %d has %q, and %q was written", i, *got.Value, value)
		}
	}
	set(1, "first")
	early := c.CopyData(0)
	set(1, "before")
	file := filepath.Join(t.TempDir(), "snapshot")
	var saved bytes.Buffer
	must(t, bao(t, c, 2, c.Token).Sys().RaftSnapshot(&saved))
	must(t, os.WriteFile(file, saved.Bytes(), 0o600))
	c.Restart(1) // the others hear of it, and it of them
	c.Unseal(1)
	set(2, "after")
	address := clusterAddress(t, c, 0)
	for i := range 3 {
		c.Stop(i)
	}

	folders := []string{c.Data(0), c.Data(1), c.Data(2)}
	for _, one := range []struct {
		paths []string
		best  string // "": any
		doubt node.Doubt
	}{
		{folders[:1], folders[0], node.TooFew},
		{folders[:2], "", node.Complete},
		{folders, "", node.Complete},
		{[]string{folders[0], folders[0]}, folders[0], node.TooFew},
		{[]string{file}, file, node.OnlySnapshot},
		{[]string{file, folders[2]}, folders[2], node.TooFew},
		{[]string{early, file}, file, node.OnlySnapshot},
		{[]string{early, folders[1]}, folders[1], node.Older},
	} {
		judged, err := node.Judge(remnants(t, one.paths))
		must(t, err)
		if one.best != "" && judged.Best.Path != one.best || judged.Doubt != one.doubt {
			t.Errorf("of %v the best is %s, and the doubt %d, not %d", one.paths, judged.Best.Path,
				judged.Doubt, one.doubt)
		}
	}

	apart := "" // what was recovered first
	for _, source := range []struct{ path, value string }{{file, "before"}, {c.Data(1), "after"}} {
		made := filepath.Join(t.TempDir(), "new")
		r := remnant(t, source.path)
		id := recovered(t, c, r, node.Recovery{Dir: made, ClusterAddr: address, Now: time.Now()})
		again := node.Recovery{Dir: made, ClusterAddr: address, Now: time.Now()}
		if _, err := remnant(t, source.path).Recover(again); err == nil {
			t.Error("a second recovery takes the place of the first")
		}
		if left := remnant(t, made); left.Generation != r.Generation+1 || len(left.Voters) != 1 ||
			left.Voters[0] != id {
			t.Errorf("%s holds generation %d and voters %v", made, left.Generation, left.Voters)
		}
		if _, err := node.Judge(remnants(t, []string{made, source.path})); err == nil {
			t.Error("folders from before and after a recovery are taken for one cluster's")
		}
		if source.path == file {
			apart = made
			continue
		}
		if _, err := node.Judge(remnants(t, []string{apart, made})); err == nil {
			t.Error("two recoveries of one cluster are taken for one")
		}
		c.PutBack(0, made)
	}

	c.Start(0)
	c.Unseal(0)
	want(0, "after")
	set(0, "new")
	c.Forget(1)
	c.Forget(2)
	added := c.AddVoter()
	want(added, "new")
	set(added, "newer")
	want(0, "newer")
	c.Digests()
}

func clusterAddress(t *testing.T, c *testcluster.Cluster, i int) string {
	t.Helper()
	peers, err := bao(t, c, i, c.Token).Logical().Read("sys/storage/raft/configuration")
	must(t, err)
	for _, s := range peers.Data["config"].(map[string]any)["servers"].([]any) {
		if server := s.(map[string]any); server["api_address"] == c.URL(i) {
			return fmt.Sprint(server["address"])
		}
	}
	t.Fatal("the node is no member")
	return ""
}

func remnant(t *testing.T, path string) *node.Remnant {
	t.Helper()
	r, err := node.ReadRemnant(path)
	must(t, err)
	return r
}

func remnants(t *testing.T, paths []string) (all []*node.Remnant) {
	t.Helper()
	for _, path := range paths {
		all = append(all, remnant(t, path))
	}
	return all
}

func recovered(t *testing.T, c *testcluster.Cluster, r *node.Remnant, to node.Recovery) string {
	t.Helper()
	for _, text := range c.Shares[:2] {
		share, err := hex.DecodeString(text)
		must(t, err)
		_, err = r.Share(share)
		must(t, err)
	}
	id, err := r.Recover(to)
	must(t, err)
	return id
}
