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
	set(1, "before")
	file := filepath.Join(t.TempDir(), "snapshot")
	var saved bytes.Buffer
	must(t, bao(t, c, 2, c.Token).Sys().RaftSnapshot(&saved))
	must(t, os.WriteFile(file, saved.Bytes(), 0o600))
	set(2, "after")
	address := clusterAddress(t, c, 0)
	for i := range 3 {
		c.Stop(i)
	}

	all := []*node.Remnant{remnant(t, c.Data(0)), remnant(t, c.Data(1)), remnant(t, c.Data(2))}
	best, err := node.Best(all)
	must(t, err)
	for n, complete := range map[int]bool{1: false, 2: true, 3: true} {
		if best.Complete(all[:n]) != complete {
			t.Errorf("%d of three folders: complete is %v", n, !complete)
		}
	}
	if _, err := node.Best(append(all, remnant(t, file))); err != nil {
		t.Errorf("a snapshot beside its cluster's folders: %v", err)
	}

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
		if _, err := node.Best([]*node.Remnant{remnant(t, made), remnant(t, source.path)}); err == nil {
			t.Error("folders from before and after a recovery are taken for one cluster's")
		}
		if source.path == file {
			continue
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
