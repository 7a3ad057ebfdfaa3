package testcluster_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"keyquorum/testcluster"
)

// What a person sees of a folder that was put back, and of a copy that was started beside the
// first, with the real program: the others name the node within seconds, it says itself why it
// takes no part and what to do, and the cluster goes on.
func TestFoldersThatWerePutBackOrCopiedAreNamed(t *testing.T) {
	c := testcluster.Processes(t, 3)
	const back = 1
	c.Stop(back)
	old := c.CopyData(back)
	c.Start(back)
	c.Unseal(back)
	c.NewVault("after-the-copy")
	time.Sleep(3 * time.Second) // the node has said hello to all

	t.Run("a copy beside the first", func(t *testing.T) {
		beside := c.StartCopy(c.CopyData(2))
		begun := time.Now()
		awaitTrouble(t, c, beside, "copy of a data folder", "stop it and empty its folder")
		awaitOutlook(t, c, 0, "was started a second time, on a copy of its data folder",
			"Stop the process on the copy")
		t.Logf("named after %v", time.Since(begun))
		c.NewVault("beside")
		if s := status(t, c, 2); s.Spare != 1 {
			t.Errorf("with the copy, %d voters may be lost: %q", s.Spare, s.Outlook)
		}
		if code := c.Status(2, "GET", "/v1/sys/health?standbyok=true", nil); code != 200 {
			t.Errorf("the first is well with %d", code)
		}
		c.Kill(beside)
	})

	t.Run("put back", func(t *testing.T) {
		c.Stop(back)
		c.PutBack(back, old)
		c.Start(back)
		begun := time.Now()
		id := awaitTrouble(t, c, back, "put back", "remove-peer", "empty folder")
		awaitOutlook(t, c, 0, "came back with a data folder from an earlier moment", "remove-peer "+id)
		t.Logf("named after %v", time.Since(begun))
		if code := c.Status(back, "GET", "/v1/sys/health?standbyok=true", nil); code != 503 {
			t.Errorf("it is well with %d", code)
		}
		if !slices.ContainsFunc(metricsOf(t, c, 0)["keyquorum_accusations_total"].GetMetric(),
			func(m *dto.Metric) bool {
				return slices.ContainsFunc(m.GetLabel(),
					func(l *dto.LabelPair) bool { return l.GetValue() == "disk-put-back" })
			}) {
			t.Error("no metric counts it")
		}
		if s := status(t, c, 0); s.Spare != 0 {
			t.Errorf("with one of three that takes no part, %d voters may be lost: %q", s.Spare, s.Outlook)
		}
		c.NewVault("without-it")
		c.Remove(back)
		c.AddVoter() // with an empty folder
		c.NewVault("with-another")
		await(t, "nobody is told to remove who was removed", func() (bool, string) {
			all := strings.Join(status(t, c, 0).Outlook, " ")
			return !strings.Contains(all, id), all
		})
	})
}

// awaitTrouble waits until a node says of itself why it serves nobody, and returns its id.
func awaitTrouble(t *testing.T, c *testcluster.Cluster, i int, words ...string) (id string) {
	t.Helper()
	var s struct {
		Trouble string `json:"trouble"`
	}
	await(t, "the node says what is wrong", func() (bool, string) {
		c.Call(i, "GET", "/v1/sys/seal-status", nil, &s)
		return containsAll(s.Trouble, words), s.Trouble
	})
	_, after, _ := strings.Cut(s.Trouble, "remove-peer ")
	id, _, _ = strings.Cut(after, ",")
	return id
}

// awaitOutlook waits until the cluster's status says something.
func awaitOutlook(t *testing.T, c *testcluster.Cluster, i int, words ...string) {
	t.Helper()
	await(t, "the status says it", func() (bool, string) {
		all := strings.Join(status(t, c, i).Outlook, " ")
		return containsAll(all, words), all
	})
}

func await(t *testing.T, what string, is func() (yes bool, found string)) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		yes, found := is()
		if yes {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s: %q", what, found)
		}
	}
}

func containsAll(s string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}
