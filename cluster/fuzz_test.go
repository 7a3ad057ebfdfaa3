package cluster_test

import (
	"bytes"
	"context"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cluster"
	"keyquorum/cluster/identity"
	"keyquorum/cluster/lease"
	"keyquorum/fsm"
	"keyquorum/internal/fakenet"
	"keyquorum/internal/testkey"
	"keyquorum/storage"
)

// openAlone starts a cluster of one voter outside a bubble, and of others that are away.
func openAlone(tb testing.TB, leases cluster.Leases, others ...fsm.Member) *cluster.Cluster {
	const id = "00000000000000000000000000000001"
	check := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	store, err := storage.Create(filepath.Join(tb.TempDir(), "member"),
		storage.Manifest{ClusterID: clusterID, NodeID: id, Voter: true})
	check(err)
	founder := testkey.New(1, 0)
	members := fsm.Members{{ID: id, Address: "alone:8201", Voter: true}}
	for _, m := range others {
		members = members.With(m)
	}
	founding, err := founder.Found(members)
	check(err)
	check(cluster.Found(store, founding))
	authority, err := identity.NewAuthority(clusterID, time.Now())
	check(err)
	key, csr, err := identity.NewRequest()
	check(err)
	certificate, err := authority.Sign(csr, clusterID, id, time.Now())
	check(err)
	shown, err := identity.New(clusterID, id, key, certificate, authority.Certificate.Raw)
	check(err)
	network := fakenet.New()
	c, err := cluster.Open(cluster.Config{
		Store: store, Identity: shown, Listener: network.Listen("alone", "alone:8201"),
		Dial:    network.Dialer("alone"),
		Address: "alone:8201", About: cluster.About{Label: "alone", API: "https://alone:8200",
			Version: "test"}, Logger: hclog.NewNullLogger(),
		Leases: leases,
	})
	check(err)
	tb.Cleanup(func() {
		c.Close(context.Background())
		store.Close()
		network.Close()
	})
	c.Unseal(founder)
	_, err = c.Commit(tb.Context(), write(c.View(), "a", "1"))
	check(err)
	return c
}

// served are the calls that a body of any content may be sent to: none of them changes who is a
// member.
var served = []string{
	"/v1/commit", "/v1/fence", "/v1/term", "/v1/vote", "/v1/digest", "/v1/suspect", "/v1/status",
	"/v1/order",
	"/v1/address", "/v1/checkin", "/v1/hello", "/v1/survey", "/v1/silence", "/v1/certify",
	"/v1/renewed", "/v1/gossip-keys", "/v1/root-key", "/v1/autopilot",
}

// FuzzCalls: a call's body of any content is answered or refused with one of our words, nothing
// breaks, and the member serves the next write. What a decoder takes it also writes, and takes
// again.
func FuzzCalls(f *testing.F) {
	c := openAlone(f, cluster.Leases{})
	txn, err := write(c.View(), "b", "1").Sign(testkey.New(1, 0))
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range cluster.CallBodies(txn) {
		for i := range served {
			f.Add(uint8(i), body)
		}
	}
	if status, answer := c.Call(f.Context(), "/v1/status", []byte{0x80}); status != http.StatusOK {
		f.Fatalf("a good call is answered %d %q: nothing would be tried", status, answer)
	}
	f.Add(uint8(0), []byte{0x81, 0x40})
	f.Add(uint8(1), []byte{0x81, 0x1b, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, call uint8, body []byte) {
		for _, recode := range cluster.Recode {
			if once, ok := recode(body); ok {
				if twice, ok := recode(once); !ok || !bytes.Equal(once, twice) {
					t.Fatalf("%x was taken and written as %x, and that as %x", body, once, twice)
				}
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		path := served[int(call)%len(served)]
		status, answer := c.Call(ctx, path, body)
		if status != http.StatusOK &&
			!strings.Contains(cluster.Words, "|"+strings.TrimSpace(answer)+"|") {
			t.Fatalf("%s answers %d %q", path, status, answer)
		}
		select {
		case <-c.Failed():
			t.Fatalf("%s %x stopped the member: %v", path, body, c.Err())
		default:
		}
		if o, err := c.Commit(t.Context(), c.View().Begin(fsm.Ordinary)); err != nil {
			t.Fatalf("after %s %x: %v, %v", path, body, o, err)
		}
	})
}

// FuzzCheckIns: whatever a member says when it checks in, the leader's answer is within bounds, and
// the leader itself has a lease.
func FuzzCheckIns(f *testing.F) {
	const other = "00000000000000000000000000000002"
	born, later := time.Now(), new(atomic.Int64)
	clock := func() time.Duration { return time.Hour + time.Since(born) + time.Duration(later.Load()) }
	c := openAlone(f, cluster.Leases{Clock: clock}, fsm.Member{ID: other, Address: "away:8201"})
	later.Store(int64(lease.Standard.Settling)) // from here on the life of leases follows what is said
	const most = math.MaxInt64
	f.Add(uint64(1), uint64(0), uint64(9), uint64(0), int64(5), int64(0), int64(1e6), false)
	f.Add(uint64(1), uint64(most), uint64(most), uint64(0), int64(most), int64(most), int64(1<<61),
		false)
	f.Add(uint64(2), uint64(0), uint64(0), uint64(1), int64(-most), int64(-most), int64(-most), true)
	f.Add(uint64(3), uint64(7), uint64(most), uint64(most), int64(1<<61), int64(1<<61), int64(most),
		false)
	f.Fuzz(func(t *testing.T, process, epoch, applied, atLeast uint64, echo, promised, trip int64,
		idle bool) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		answer, err := c.HearCheckIn(ctx, other, lease.CheckIn{
			Process: process, Epoch: epoch, Applied: applied, AtLeast: atLeast,
			Echo: time.Duration(echo), Promised: time.Duration(promised), Idle: idle,
			RoundTrip: time.Duration(trip),
		})
		if err != nil {
			t.Fatal(err)
		}
		least, bound := lease.Standard.Base, lease.Standard.Most
		if answer.Life < least || answer.Life > bound || answer.Grant < 0 || answer.Grant > bound {
			t.Fatalf("answered with %+v", answer)
		}
		for begun := time.Now(); !c.Leased(); time.Sleep(time.Millisecond) {
			if time.Since(begun) > 5*time.Second {
				t.Fatal("the leader has no lease for five seconds")
			}
		}
	})
}
