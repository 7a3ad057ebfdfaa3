package httpapi_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"keyquorum/node"
)

const snapshotPath = "/v1/sys/storage/raft/snapshot"

// A snapshot holds what there was, says so without a share, opens with the shares, and is recorded
// with its index before the first byte leaves.
func TestSnapshotHoldsWhatWasAcknowledged(t *testing.T) {
	s := newService(t)
	if err := s.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	c := s.application(t, "kept", everything)
	const value = "canary-4711-in-a-snapshot"
	c.ok("PUT", "/secrets/one", `{"value":"`+value+`"}`)
	c.ok("PUT", "/secrets/one", `{"value":"`+value+`"}`)
	c.ok("PUT", "/secrets/two", `{"value":"`+value+`"}`)
	c.ok("DELETE", "/secrets/two", "")
	c.ok("POST", "/keys/k/create", `{"kty":"EC"}`)
	s.usage.take()
	a := s.operate("GET", snapshotPath, s.token, "")
	if a.status != 200 || a.header.Get("Content-Type") != "application/gzip" ||
		!strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("%d %v", a.status, a.header)
	}
	for _, m := range unpacked(t, a.body) {
		if bytes.Contains(m.body, []byte(value)) {
			t.Errorf("a value is readable in %s", m.Name)
		}
	}
	file, err := node.ReadSnapshot(strings.NewReader(a.body), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	n := file.Census
	if n.Vaults != 1 || n.Applications != 1 || n.Secrets != 2 || n.SecretVersions != 3 ||
		n.Keys != 1 ||
		n.KeyVersions != 1 || file.Members != 1 || file.Shares != 3 || file.Threshold != 2 {
		t.Errorf("it holds %+v of %d members, %d of %d shares", n, file.Members, file.Threshold,
			file.Shares)
	}
	used := s.usage.take()
	if len(used) != 1 || used[0]["operation"] != "sys/raft/snapshot" || used[0]["status"] != 200.0 ||
		used[0]["detail"] != fmt.Sprint("index ", file.Meta.Index) {
		t.Errorf("the usage log has %v", used)
	}
	opened, err := openWith(t, file, s.shares[2], s.shares[0])
	if err != nil || opened < n.SecretVersions+n.KeyVersions || opened >= n.Records {
		t.Errorf("%d of %d records open: %v", opened, n.Records, err)
	}
}

func openWith(t *testing.T, file *node.SnapshotFile, shares ...string) (opened int, err error) {
	t.Helper()
	for _, text := range shares {
		share, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Share(share); err != nil {
			t.Fatal(err)
		}
	}
	return file.OpenAll(context.Background(), func(int) {})
}

// What somebody put together of two snapshots, each whole, is not taken for one.
func TestSnapshotsAreNotMixed(t *testing.T) {
	var files [2]string
	var services [2]*service
	for i := range files {
		s := newService(t)
		if err := s.begin(1, 1); err != nil {
			t.Fatal(err)
		}
		services[i], files[i] = s, s.operate("GET", snapshotPath, s.token, "").body
	}
	file, err := node.ReadSnapshot(strings.NewReader(files[0]), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	share, err := hex.DecodeString(services[1].shares[0])
	if err != nil {
		t.Fatal(err)
	}
	if progress, err := file.Share(share); err == nil || progress != 0 {
		t.Errorf("another cluster's share counts: %d, %v", progress, err)
	}
	mixed := repacked(t, files[0], files[1])
	file, err = node.ReadSnapshot(strings.NewReader(mixed), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openWith(t, file, services[0].shares[0]); err == nil ||
		!strings.Contains(err.Error(), "sealed checksums") {
		t.Errorf("another cluster's seal under the sums: %v", err)
	}
}

func TestSnapshotIsRefused(t *testing.T) {
	s := newService(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	if a := s.operate("GET", snapshotPath, "", ""); a.status != 403 {
		t.Errorf("without a token: %d", a.status)
	}
	s.usage.breakDown(true)
	if a := s.operate("GET", snapshotPath, s.token, ""); a.status == 200 || len(a.body) > 1000 {
		t.Errorf("without a usage record: %d and %d bytes", a.status, len(a.body))
	}
	s.usage.breakDown(false)
	s.operate("PUT", "/v1/sys/seal", s.token, "")
	if a := s.operate("GET", snapshotPath, s.token, ""); a.status != 503 {
		t.Errorf("of a sealed node: %d %s", a.status, a.body)
	}
}

// A node sends a few snapshots at a time. Who takes none of his does not keep the others waiting:
// he is cut off.
func TestSnapshotsAtATime(t *testing.T) {
	s := newService(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		slow := newSlowTaker()
		go func() {
			r := httptest.NewRequest("GET", snapshotPath, nil)
			r.Host = nodeHost
			r.Header.Set("X-Vault-Token", s.token)
			s.h.ServeHTTP(slow, r)
			close(slow.done)
		}()
		<-slow.began
		defer func() { close(slow.goOn); <-slow.done }()
	}
	a := s.operate("GET", snapshotPath, s.token, "")
	if a.status != 429 || a.header.Get("Retry-After") == "" ||
		!strings.Contains(a.body, "ask another node") {
		t.Errorf("the third at a time: %d %s", a.status, a.body)
	}
}

// A slowTaker takes nothing of an answer until it is told to.
type slowTaker struct {
	http.ResponseWriter
	began, goOn, done chan struct{}
}

func newSlowTaker() *slowTaker {
	return &slowTaker{httptest.NewRecorder(), make(chan struct{}), make(chan struct{}),
		make(chan struct{})}
}

func (s *slowTaker) WriteHeader(status int) {
	close(s.began)
	s.ResponseWriter.WriteHeader(status)
}

func (s *slowTaker) Write(b []byte) (int, error) {
	<-s.goOn
	return s.ResponseWriter.Write(b)
}

// repacked is the first archive with the last member of the second.
func repacked(t *testing.T, first, second string) string {
	t.Helper()
	one, two := unpacked(t, first), unpacked(t, second)
	one[len(one)-1] = two[len(two)-1]
	var b bytes.Buffer
	packed(t, &b, one)
	return b.String()
}

type member struct {
	tar.Header
	body []byte
}

func unpacked(t *testing.T, file string) (members []member) {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return members
		} else if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, member{*h, body})
	}
}

func packed(t *testing.T, w io.Writer, members []member) {
	t.Helper()
	z := gzip.NewWriter(w)
	out := tar.NewWriter(z)
	for _, m := range members {
		if err := out.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(m.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(out.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
}

// What was there comes back, what came since is gone, who was given access since has none, and the
// operator's token and the applications' tokens stay what they are.
func TestRestoreGoesBack(t *testing.T) {
	s := newService(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	c := s.application(t, "kept", everything)
	c.ok("PUT", "/secrets/one", `{"value":"then"}`)
	c.ok("PUT", "/secrets/two", `{"value":"then"}`)
	key := c.ok("POST", "/keys/k/create", `{"kty":"EC"}`).at("key", "kid")
	file := s.operate("GET", snapshotPath, s.token, "").body
	c.ok("PUT", "/secrets/one", `{"value":"since"}`)
	c.ok("PUT", "/secrets/three", `{"value":"since"}`)
	c.ok("DELETE", "/secrets/two", "")
	c.ok("POST", "/keys/k/create", `{"kty":"EC"}`)
	late := s.application(t, "late", everything)
	if a := s.operate("PUT", "/v1/sys/rotate", s.token, ""); a.status != 204 && a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s.usage.take()
	for round := range 2 { // the second finds what the first has brought
		if a := s.operate("POST", snapshotPath, s.token, file); a.status != 204 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		for _, name := range []string{"one", "two"} {
			if a := c.ok("GET", "/secrets/"+name, ""); a.at("value") != "then" {
				t.Errorf("round %d: %s is %v", round, name, a.at("value"))
			}
		}
		if a := c.call("GET", "/secrets/three", ""); a.status != 404 {
			t.Errorf("round %d: what came since: %d", round, a.status)
		}
		if a := c.ok("GET", "/keys/k", ""); a.at("key", "kid") != key {
			t.Errorf("round %d: the key is %v, not %v", round, a.at("key", "kid"), key)
		}
		if a := late.call("GET", "/secrets/one", ""); a.status != 401 && a.status != 403 {
			t.Errorf("round %d: an application that came since: %d", round, a.status)
		}
		c.ok("PUT", "/secrets/one", `{"value":"again"}`)
		c.ok("PUT", "/secrets/three", `{"value":"again"}`)
	}
	var restores []any
	for _, u := range s.usage.take() {
		if u["operation"] == "sys/raft/restore" {
			restores = append(restores, u["detail"])
		}
	}
	if len(restores) != 2 || !strings.HasSuffix(fmt.Sprint(restores[1]), "restore 2") {
		t.Errorf("the usage log has %v", restores)
	}
}

// While a restore is under way, each status says so, and none does when it has ended.
func TestRestoreIsSeen(t *testing.T) {
	s := newService(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	s.application(t, "kept", everything)
	file, err := node.ReadSnapshot(strings.NewReader(
		s.operate("GET", snapshotPath, s.token, "").body), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	seen := func() (seal, cluster any) {
		return s.operate("GET", "/v1/sys/seal-status", "", "").json["restoring"],
			s.operate("GET", "/v1/sys/ha-status", s.token, "").at("data", "restoring")
	}
	_, err = s.n.Restore(t.Context(), file, func(int) {
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
			if seal, cluster := seen(); seal == true && cluster == true {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Error("no status tells of the restore")
	})
	if err != nil {
		t.Fatal(err)
	}
	if seal, cluster := seen(); seal != nil || cluster != nil {
		t.Errorf("when it has ended, the statuses say %v, %v", seal, cluster)
	}
}

// Whatever is no snapshot of this cluster changes nothing.
func TestRestoreRefusesWhatItCannotVerify(t *testing.T) {
	s, other := newService(t), newService(t)
	for _, s := range []*service{s, other} {
		if err := s.begin(1, 1); err != nil {
			t.Fatal(err)
		}
	}
	c := s.application(t, "kept", everything)
	c.ok("PUT", "/secrets/one", `{"value":"then"}`)
	file := s.operate("GET", snapshotPath, s.token, "").body
	foreign := other.operate("GET", snapshotPath, other.token, "").body
	c.ok("PUT", "/secrets/one", `{"value":"now"}`)
	for name, body := range map[string]string{
		"nothing": "", "no archive": "null", "cut off": file[:len(file)-20], "more": file + "x",
		"another cluster's": foreign, "two in one": repacked(t, file, foreign),
		"altered": file[:len(file)/2] + "x" + file[len(file)/2+1:],
	} {
		a := s.operate("POST", snapshotPath, s.token, body)
		if a.status != 400 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := s.operate("POST", snapshotPath, "", file); a.status != 403 {
		t.Errorf("without a token: %d %s", a.status, a.body)
	}
	if a := s.operate("POST", snapshotPath+"-force", s.token, foreign); a.status != 501 ||
		!strings.Contains(a.body, "operator recover") {
		t.Errorf("by force: %d %s", a.status, a.body)
	}
	if a := c.ok("GET", "/secrets/one", ""); a.at("value") != "now" {
		t.Errorf("the secret is %v", a.at("value"))
	}
}
