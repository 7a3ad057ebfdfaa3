package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/internal/fakes3"
)

// A scheduledNode is one whose snapshots go into a folder and into a bucket.
type scheduledNode struct {
	*lonelyNode
	t       *testing.T
	keys    operator.InitResult
	config  string
	folder  string
	bucket  *fakes3.Bucket
	scratch string
}

// canarySecret is the secret of the bucket's key.
const canarySecret = "CANARY-of-the-bucket"

func startScheduled(t *testing.T) *scheduledNode {
	t.Helper()
	dir := t.TempDir()
	n := &scheduledNode{t: t, config: filepath.Join(dir, "snapshots.hcl"),
		folder: filepath.Join(dir, "kept"), bucket: fakes3.New("backups", "AKIDTEST"),
		scratch: t.TempDir()}
	t.Cleanup(n.bucket.Close)
	if err := os.Mkdir(n.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	credentials, ca := filepath.Join(dir, "credentials"), filepath.Join(dir, "ca.pem")
	write(t, credentials, "aws_access_key_id = AKIDTEST\naws_secret_access_key = "+canarySecret+"\n")
	write(t, ca, string(pem.EncodeToMemory(
		&pem.Block{Type: "CERTIFICATE", Bytes: n.bucket.Certificate().Raw})))
	write(t, n.config, fmt.Sprintf(`snapshots {
  every  = "24h"
  keep   = 2
  folder = %q
  s3 {
    endpoint    = %q
    bucket      = "backups"
    prefix      = "keyquorum/"
    credentials = %q
    path_style  = true
    ca          = %q
  }
}
`, n.folder, n.bucket.URL, credentials, ca))
	n.lonelyNode = startNode(t, "--config", n.config, "--log-level=trace")
	made := n.operator(t, "init", "-key-shares=3", "-key-threshold=2", "-format=json")
	if err := json.Unmarshal([]byte(made.stdout), &n.keys); err != nil {
		t.Fatal(err)
	}
	for _, share := range n.keys.KeysHex[:2] {
		expectCode(t, "unseal", n.operator(t, "unseal", share), 0)
	}
	return n
}

// run runs a command below operator, which asks no node.
func (n *scheduledNode) run(stdin string, args ...string) outcome {
	cmd := keyquorum(context.Background(), n.scratch, append([]string{"operator"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	return ended(n.t, cmd)
}

// kept are the snapshots that are listed, after both stores have one.
func (n *scheduledNode) kept() (kept []map[string]any) {
	n.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		listed := n.run("", "raft", "snapshot", "list", "--config", n.config, "--format", "json")
		expectCode(n.t, "list", listed, 0)
		var answer struct{ Kept []map[string]any }
		if err := json.Unmarshal([]byte(listed.stdout), &answer); err != nil {
			n.t.Fatal(err)
		}
		if len(answer.Kept) >= 2 {
			return answer.Kept
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("kept are %v; the node says %s", answer.Kept, n.said(n.t))
		}
	}
}

// A server takes snapshots by its configuration, into a folder and a bucket. Commands that know the
// configuration list them, and try the newest, without the node. The key of the bucket stands
// nowhere.
func TestScheduledSnapshots(t *testing.T) {
	n := startScheduled(t)
	kept := n.kept()
	for i, store := range []string{n.folder, "s3://backups/keyquorum/"} { // in this order
		if kept[i]["store"] != store || kept[i]["bytes"] == 0.0 || kept[i]["name"] != kept[0]["name"] {
			t.Errorf("kept is %v", kept[i])
		}
	}
	name := kept[0]["name"].(string)
	people := n.run("", "raft", "snapshot", "list", "--config", n.config)
	expectCode(t, "list", people, 0)
	for _, place := range []string{filepath.Join(n.folder, name), "s3://backups/keyquorum/" + name} {
		if !strings.Contains(people.stdout, place) {
			t.Errorf("list does not say %s: %s", place, people.stdout)
		}
	}

	shares := n.keys.KeysHex[0] + "\n" + n.keys.KeysHex[2] + "\n"
	tried := n.run(shares, "drill", "--config", n.config, "--format", "json")
	expectCode(t, "drill", tried, 0)
	if o := tried.object(t); o["from"] != filepath.Join(n.folder, name) ||
		o["records_that_open"] == 0.0 {
		t.Errorf("drill: %v", o)
	}
	foreign := strings.Replace(name, kept[0]["cluster"].(string), strings.Repeat("0", 32), 1)
	write(t, filepath.Join(n.folder, foreign), "of another cluster")
	expectCode(t, "drill of two clusters", n.run(shares, "drill", "--config", n.config), 1)
	if err := os.RemoveAll(n.folder); err != nil { // the bucket is left
		t.Fatal(err)
	}
	partly := n.run("", "raft", "snapshot", "list", "--config", n.config)
	expectCode(t, "list without the folder", partly, 1)
	if !strings.Contains(partly.stdout, "s3://backups/") || !strings.Contains(partly.stderr, n.folder) {
		t.Errorf("list without the folder: %s%s", partly.stdout, partly.stderr)
	}
	tried = n.run(shares, "drill", "--config", n.config, "--scratch", n.scratch)
	expectCode(t, "drill of the bucket", tried, 0)
	if !strings.Contains(tried.stdout, "recovered from s3://backups/keyquorum/"+name) {
		t.Errorf("drill of the bucket: %s", tried.stdout)
	}
	if left, err := os.ReadDir(n.scratch); err != nil || len(left) > 0 {
		t.Errorf("drills leave %v (%v)", left, err)
	}

	metrics := n.metrics()
	if !strings.Contains(metrics, `keyquorum_scheduled_snapshot_failing{store="s3"} 0`) {
		t.Error("there is no metric of the bucket")
	}
	for where, text := range map[string]string{
		"log": n.said(t), "metrics": metrics, "list": people.stdout, "drill": tried.stdout,
		"usage log": read(t, filepath.Join(n.lonelyNode.folder.Path("node1"), "audit.log")),
	} {
		for what, canary := range map[string]string{"secret": canarySecret, "share": n.keys.KeysHex[0],
			"token": n.keys.RootToken} {
			if strings.Contains(text, canary) {
				t.Errorf("the %s stands in the %s", what, where)
			}
		}
		if where == "usage log" && !strings.Contains(text, name) {
			t.Errorf("the usage log has no record of %s", name)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// metrics are what the node shows to Prometheus.
func (n *scheduledNode) metrics() string {
	n.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(read(n.t, n.lonelyNode.folder.Path("ca.pem"))))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(n.t.Context(), "GET", n.address.API()+"/v1/sys/metrics", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("X-Vault-Token", n.keys.RootToken)
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(text)
}
