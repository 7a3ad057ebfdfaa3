package storage_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"keyquorum/storage"
)

// A text is a state machine that remembers every entry in one text.
type text struct {
	mu sync.Mutex
	b  strings.Builder
}

func (m *text) Apply(l *raft.Log) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.b.Write(append(l.Data, '\n'))
	return nil
}

func (m *text) Snapshot() (raft.FSMSnapshot, error) { return textSnapshot(m.String()), nil }

func (m *text) Restore(r io.ReadCloser) error {
	b, err := io.ReadAll(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.b.Reset()
	m.b.Write(b)
	return err
}

func (m *text) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.b.String()
}

type textSnapshot string

func (s textSnapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := io.WriteString(sink, string(s)); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}
func (s textSnapshot) Release() {}

// startRaft starts a cluster of one on the store and waits until it leads.
func startRaft(t *testing.T, s *storage.Store, m *text) *raft.Raft {
	t.Helper()
	c := raft.DefaultConfig()
	c.LocalID = "n1"
	c.Logger = hclog.NewNullLogger()
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 50*time.Millisecond,
		50*time.Millisecond, 50*time.Millisecond
	c.TrailingLogs = 10
	leads := make(chan bool, 10)
	c.NotifyCh = leads
	addr, transport := raft.NewInmemTransport("n1")
	r, err := raft.NewRaft(c, m, s.Logs(), s.Stable(), s.Snapshots(), transport)
	if err != nil {
		t.Fatal(err)
	}
	one := raft.Configuration{Servers: []raft.Server{{ID: "n1", Address: addr}}}
	if err := r.BootstrapCluster(one).Error(); err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
		t.Fatal(err)
	}
	if !<-leads {
		t.Fatal("did not become leader")
	}
	return r
}

func apply(t *testing.T, r *raft.Raft, low, high int) {
	t.Helper()
	for i := low; i <= high; i++ {
		if err := r.Apply(fmt.Append(nil, i), time.Second).Error(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRaftRunsOnIt(t *testing.T) {
	s, dir := create(t)
	m := &text{}
	r := startRaft(t, s, m)
	apply(t, r, 1, 100)
	if err := r.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	apply(t, r, 101, 120)
	want := m.String()
	if first, err := s.Logs().FirstIndex(); err != nil || first < 80 {
		t.Errorf("the log begins at %d (%v): it was not compacted", first, err)
	}
	if err := r.Shutdown().Error(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)

	s, m = mustOpen(t, dir), &text{}
	r = startRaft(t, s, m)
	apply(t, r, 121, 121)
	if got := m.String(); got != want+"121\n" {
		t.Errorf("after a restart the state is\n%s", got)
	}
	disk := breakDisk(s, 1, false)
	if err := r.Apply([]byte("lost"), time.Second).Error(); err == nil {
		t.Error("an entry was acknowledged by a failing disk")
	}
	<-s.Failed()
	if err := r.Shutdown().Error(); err != nil {
		t.Fatal(err)
	}
	if disk.writes != 1 {
		t.Errorf("the disk was asked %d times after it failed", disk.writes-1)
	}
	mustClose(t, s)

	s, m = mustOpen(t, dir), &text{}
	r = startRaft(t, s, m)
	apply(t, r, 122, 122)
	if got := m.String(); got != want+"121\n122\n" {
		t.Errorf("after the failure the state is\n%s", got)
	}
	if err := r.Shutdown().Error(); err != nil {
		t.Fatal(err)
	}
}

// The checks at Open must never refuse what bolt writes: trees of several levels, values of many
// pages, emptied ones.
func TestWhateverBoltWritesOpensAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s, dir := create(t)
	low, high := uint64(1), uint64(0)
	for round := range 20 {
		for range r.IntN(4) {
			batch := entries(high+1, high+1+uint64(r.IntN(300)))
			batch[0].Data = make([]byte, r.IntN(1<<19))
			if err := s.Logs().StoreLogs(batch); err != nil {
				t.Fatal(err)
			}
			high = batch[len(batch)-1].Index
		}
		if n := high + 1 - low; n > 0 && r.IntN(2) == 0 {
			last := low + r.Uint64N(n)
			if r.IntN(5) == 0 {
				last = high
			}
			mustSnapshot(t, s, last, nil)
			if err := s.Logs().DeleteRange(low, last); err != nil {
				t.Fatal(err)
			}
			low = last + 1
		}
		mustClose(t, s)
		var err error
		if s, err = storage.Open(dir); err != nil {
			t.Fatalf("round %d, log %d to %d: %v", round, low, high, err)
		}
	}
	mustClose(t, s)
}

func BenchmarkStoreLogs(b *testing.B) {
	for _, n := range []uint64{1, 64} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			s, _ := create(b)
			data := make([]byte, 1024)
			index := uint64(1)
			b.ReportAllocs()
			for b.Loop() {
				batch := entries(index, index+n-1)
				for _, l := range batch {
					l.Data = data
				}
				if err := s.Logs().StoreLogs(batch); err != nil {
					b.Fatal(err)
				}
				index += n
			}
			stats := s.Stats()
			b.ReportMetric(float64(stats.Syncs)/float64(index-1), "syncs/entry")
		})
	}
}

func BenchmarkGetLog(b *testing.B) {
	s, _ := create(b)
	mustStore(b, s, 1, 2000)
	for name, index := range map[string]uint64{"cached": 2000, "from bolt": 1} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var l raft.Log
				if err := s.Logs().GetLog(index, &l); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	s, dir := create(b)
	for i := uint64(1); i < 16_000; i += 100 {
		batch := entries(i, i+99)
		for _, l := range batch {
			l.Data = make([]byte, 1024)
		}
		if err := s.Logs().StoreLogs(batch); err != nil {
			b.Fatal(err)
		}
	}
	mustClose(b, s)
	for b.Loop() {
		s, err := storage.Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		mustClose(b, s)
	}
}

// BenchmarkScrub scrubs a log of 16 MiB while a value is stored all the time, and says how long the
// slowest of these had to wait.
func BenchmarkScrub(b *testing.B) {
	s, _ := create(b)
	for i := uint64(1); i < 16_000; i += 100 {
		batch := entries(i, i+99)
		for _, l := range batch {
			l.Data = make([]byte, 1024)
		}
		if err := s.Logs().StoreLogs(batch); err != nil {
			b.Fatal(err)
		}
	}
	var slowest time.Duration
	var writer sync.WaitGroup
	done := make(chan struct{})
	writer.Go(func() {
		for n := uint64(0); ; n++ {
			select {
			case <-done:
				return
			default:
			}
			start := time.Now()
			if err := s.Stable().SetUint64([]byte("CurrentTerm"), n); err != nil {
				b.Error(err)
			}
			slowest = max(slowest, time.Since(start))
		}
	})
	for b.Loop() {
		mustScrub(b, s, 1)
	}
	close(done)
	writer.Wait()
	b.ReportMetric(float64(slowest.Microseconds())/1000, "ms-slowest-write")
	mustClose(b, s)
}
