package testcluster_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/testcluster"
)

const reserve = 100 << 20

// disks are those of a cluster's nodes: how much is free, in MiB.
type disks [3]atomic.Uint64

func (d *disks) configure(i int, config *node.Config) {
	config.Reserve = reserve
	config.Free = func(string) (uint64, error) { return d[i].Load() << 20, nil }
}

// One node that is short of room takes no writes, and hands its office over; the others go on. Of
// three two that are short have nobody take any. Reads and what frees room go on meanwhile, and
// writes as soon as there is room again. What is said of it is said on both planes, by health, by
// status and by metrics.
func TestShortOfRoom(t *testing.T) {
	heavy.Test(t)
	synctest.Test(t, func(t *testing.T) {
		var disks disks
		for i := range disks {
			disks[i].Store(1000)
		}
		c := testcluster.New(t, 3, disks.configure)
		c.NewVault("demo")
		app := c.NewApp("billing")
		c.Grant(0, "demo", "billing", nil, []string{"all"})
		asApp(t, c, app)
		room := &roomTest{t, c, make([]*azsecrets.Client, 3)}
		for i := range room.secrets {
			room.secrets[i] = once(t, c, i, "demo")
		}
		room.takes(0, 1, 2)
		_, err := room.secrets[0].SetSecret(t.Context(), "old",
			azsecrets.SetSecretParameters{Value: to.Ptr("v")}, nil)
		must(t, err)

		first := c.Leader()
		second, third := (first+1)%3, (first+2)%3
		disks[first].Store(99)
		time.Sleep(3 * time.Second)
		if c.Leader() == first {
			t.Errorf("node %d leads on, though it is short of room", first)
		}
		room.refuses("This node takes no writes", first)
		room.takes(second, third)
		room.says(first, "little room is left on this node's disk")
		room.says(second, "")
		outlook := strings.Join(status(t, c, second).Outlook, " ")
		if !strings.Contains(outlook, "has 99 MiB free, and 100 MiB are kept in reserve.") {
			t.Errorf("%q", outlook)
		}

		disks[second].Store(50)
		time.Sleep(3 * time.Second)
		room.refuses("This node takes no writes", first, second)
		room.refuses("No node takes writes", third)
		room.says(third, "too few nodes have room left on their disks")
		room.relieves(third)

		disks[second].Store(110) // less than an eighth more than the reserve
		time.Sleep(3 * time.Second)
		room.refuses("No node takes writes", third)
		disks[second].Store(113)
		time.Sleep(3 * time.Second)
		room.takes(second, third)

		c.Kill(second)
		disks[second].Store(0)
		c.Start(second)
		c.Unseal(second) // its reserve is for that
		time.Sleep(3 * time.Second)
		room.refuses("No node takes writes", third)
		c.Kill(second) // nothing is heard of it any more
		time.Sleep(7 * time.Second)
		room.takes(third)
		disks[first].Store(1000)
		disks[second].Store(1000)
		c.Settled()
		room.takes(0, 1, 2)
	})
}

// A roomTest asks nodes on both planes.
type roomTest struct {
	t       *testing.T
	c       *testcluster.Cluster
	secrets []*azsecrets.Client
}

// reads asks nodes for what is not to be refused, whatever the room.
func (r *roomTest) reads(nodes ...int) {
	r.t.Helper()
	for _, i := range nodes {
		if _, err := r.secrets[i].GetSecret(r.t.Context(), "s", "", nil); err != nil {
			r.t.Errorf("node %d does not read: %v", i, err)
		}
		r.c.Call(i, "GET", "/v1/keyquorum/vaults", nil, nil)
		if s := r.c.Status(i, "GET", "/v1/sys/health?standbyok=true", nil); s != http.StatusOK {
			r.t.Errorf("node %d's health is %d", i, s)
		}
	}
}

func (r *roomTest) takes(nodes ...int) {
	r.t.Helper()
	for _, i := range nodes {
		value := azsecrets.SetSecretParameters{Value: to.Ptr("v")}
		if _, err := r.secrets[i].SetSecret(r.t.Context(), "s", value, nil); err != nil {
			r.t.Errorf("node %d takes no secret: %v", i, err)
		}
		r.c.Call(i, "PUT", "/v1/keyquorum/vaults/demo/grants/billing",
			map[string]any{"secrets": []string{"all"}, "keys": []string{"get"}}, nil)
		if m := one(metricsOf(r.t, r.c, i), "keyquorum_writes_refused", ""); m != 0 {
			r.t.Errorf("node %d takes writes, and its metric says %v", i, m)
		}
	}
	r.reads(nodes...)
}

func (r *roomTest) refuses(says string, nodes ...int) {
	r.t.Helper()
	for _, i := range nodes {
		value := azsecrets.SetSecretParameters{Value: to.Ptr("v")}
		_, err := r.secrets[i].SetSecret(r.t.Context(), "s", value, nil)
		wantError(r.t, err, http.StatusServiceUnavailable, "ServiceUnavailable",
			"NoRoom", says, "Reads and the use of keys go on")
		status, body := r.post(i, "/v1/keyquorum/vaults", `{"name":"one-more"}`)
		if status != http.StatusServiceUnavailable || !strings.Contains(body, `{"errors":["`+says) {
			r.t.Errorf("node %d answers %d %s", i, status, body)
		}
		if m := one(metricsOf(r.t, r.c, i), "keyquorum_writes_refused", ""); m != 1 {
			r.t.Errorf("node %d refuses writes, and its metric says %v", i, m)
		}
	}
	r.reads(nodes...)
}

// says looks at what health and seal-status tell of it to strangers.
func (r *roomTest) says(i int, want string) {
	r.t.Helper()
	for _, path := range []string{"/v1/sys/health?standbyok=true", "/v1/sys/seal-status"} {
		var answer struct {
			Data struct {
				Refuses string `json:"refuses_writes"`
				Trouble string `json:"trouble"`
			} `json:"data"`
		}
		r.c.Call(i, "GET", path, nil, &answer)
		if answer.Data.Refuses != want || answer.Data.Trouble != "" {
			r.t.Errorf("node %d: %s says %+v, want %q", i, path, answer.Data, want)
		}
	}
}

// relieves does through node i what frees room, or takes something away.
func (r *roomTest) relieves(i int) {
	r.t.Helper()
	grants := "/v1/keyquorum/vaults/demo/grants/billing"
	r.c.Call(i, "PUT", grants, map[string]any{"secrets": []string{"all"}}, nil)
	more := map[string]any{"secrets": []string{"all"}, "keys": []string{"get"}}
	if s := r.c.Status(i, "PUT", grants, more); s != http.StatusServiceUnavailable {
		r.t.Errorf("a right is given, and node %d answers %d", i, s)
	}
	if _, err := r.secrets[i].DeleteSecret(r.t.Context(), "old", nil); err != nil {
		r.t.Errorf("node %d deletes nothing: %v", i, err)
	}
	if _, err := r.secrets[i].PurgeDeletedSecret(r.t.Context(), "old", nil); err != nil {
		r.t.Errorf("node %d purges nothing: %v", i, err)
	}
	r.c.Seal(i)
	r.c.Unseal(i)
}

func (r *roomTest) post(i int, path, body string) (status int, answer string) {
	r.t.Helper()
	q, err := http.NewRequest("POST", r.c.URL(i)+path, strings.NewReader(body))
	must(r.t, err)
	q.Header.Set("X-Vault-Token", r.c.Token)
	a, err := r.c.Client(i).Do(q)
	must(r.t, err)
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	must(r.t, err)
	if !json.Valid(b) {
		r.t.Errorf("%s is no JSON", b)
	}
	return a.StatusCode, string(b)
}
