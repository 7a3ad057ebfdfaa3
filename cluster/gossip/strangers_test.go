package gossip_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cluster/gossip"
)

// buffer is a log that is read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// free is a port of this machine that nobody has, TCP or UDP.
func free(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		packets, err := net.ListenPacket("udp", address)
		l.Close()
		if err == nil {
			packets.Close()
			return address
		}
	}
	t.Fatal("there is no free port")
	return ""
}

func start(t *testing.T, name string, key []byte, log *buffer, others ...string) (*gossip.Gossip,
	string) {
	t.Helper()
	address := free(t)
	g := gossip.New(gossip.Config{Bind: address, Advertise: address, Keys: gossip.Keys{key}},
		gossip.Member{
			NodeID: name, ClusterID: "cluster",
			News: func() gossip.News { return gossip.News{Label: name} },
			Others: func() (ids []string) {
				for range others {
					ids = append(ids, "one")
				}
				return ids
			},
			AskAddress: func(context.Context, string) string { return others[0] },
			Logger:     hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: log}),
		})
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g, address
}

// What strangers send to gossip's port is no error of this node's, is counted, and holds no more
// than its part; members find each other all the same.
func TestStrangersAtGossipsPort(t *testing.T) {
	key := make([]byte, 32)
	rand.Read(key)
	log := new(buffer)
	g, address := start(t, "one", key, log)
	packets, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	for range 2000 {
		junk := make([]byte, 100)
		rand.Read(junk)
		if _, err := packets.Write(junk); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Microsecond)
	}
	for i := range 200 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 9, 0, byte(i/4+1))}}
		conn, err := d.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	await(t, "complaints and crowded streams are counted", func() bool {
		c := g.Counts()
		return c.Complaints >= 1000 && c.Crowded >= 136
	})
	if n := strings.Count(log.String(), "[ERROR]"); n > 0 {
		t.Errorf("strangers made %d lines of ERROR", n)
	}
	friend, _ := start(t, "two", key, log, address)
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { friend.Run(ctx) })
	defer func() { end(); running.Wait() }()
	await(t, "a member is heard", func() bool {
		news, ok := friend.Of("one")
		return ok && news.Label == "one"
	})
}

func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for range 200 {
		if so() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("not within 10 s: %s", what)
}
