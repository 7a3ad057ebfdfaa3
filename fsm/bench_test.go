package fsm_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// cpuTime is what this process has used so far, collector included: on a busy machine it says more
// than the clock.
func cpuTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// measure runs one as a benchmark, and reports its CPU time too.
func measure(b *testing.B, one func(i int)) {
	b.Helper()
	b.ReportAllocs()
	before, n := cpuTime(b), 0
	for b.Loop() {
		one(n)
		n++
	}
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(n), "cpu-ns/op")
}

// filled is an FSM with the records of treePaths, 1 KiB each, written in batches of 64
// transactions.
func filled(b *testing.B, paths []string) *fsm.FSM {
	f := newFSM(b)
	for i := 0; i < len(paths); i += 64 {
		f.ApplyBatch(creations(b, f.View().Index(), paths[i:min(i+64, len(paths))]))
	}
	return f
}

// creations are single writes of 1 KiB, as the log would hold them after base.
func creations(b *testing.B, base uint64, paths []string) []*raft.Log {
	logs := make([]*raft.Log, len(paths))
	for i, path := range paths {
		logs[i] = command(b, base+uint64(i)+1, fsm.Txn{ID: fsm.NewID(), Base: base,
			Conditions: []fsm.Condition{{Kind: fsm.Absent, Path: path}},
			Writes:     []fsm.Write{{Path: path, Logical: base, Value: make([]byte, 1024)}}})
	}
	return logs
}

func BenchmarkRecords(b *testing.B) {
	paths := treePaths()
	own := 0
	for _, p := range paths {
		own += len(p) + 1024
	}
	before := heapInUse()
	f := filled(b, paths)
	overhead := float64(heapInUse()-before-uint64(own)) / float64(len(paths))
	size, records := f.View().Size()

	b.Run("get", func(b *testing.B) {
		v := f.View()
		measure(b, func(i int) {
			if _, ok := v.Get(paths[i*7919%len(paths)]); !ok {
				b.Fatal("lost a record")
			}
		})
		b.ReportMetric(overhead, "overhead-B/record") // ids and directories too, here
		b.ReportMetric(float64(size)/float64(records), "Size-B/record")
	})
	b.Run("recompute", func(b *testing.B) {
		measure(b, func(int) {
			if _, err := f.View().Recompute(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	})
	var snapshot []byte
	b.Run("snapshot", func(b *testing.B) {
		measure(b, func(int) { snapshot = snapshotOf(b, f) })
		b.SetBytes(int64(len(snapshot)))
	})
	b.Run("restore", func(b *testing.B) {
		b.SetBytes(int64(len(snapshot)))
		measure(b, func(int) {
			if err := restore(newFSM(b), snapshot); err != nil {
				b.Fatal(err)
			}
		})
	})
	runtime.KeepAlive(f)
}

// BenchmarkApply replaces a record in a state of 100,000 with a full window of ids, as in a
// secret's update, or makes a version and replaces the head, as in setting a secret.
func BenchmarkApply(b *testing.B) {
	paths := treePaths()
	f := filled(b, paths)
	for _, kind := range []string{"replace", "set"} {
		for _, n := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/batch-%d", kind, n), func(b *testing.B) {
				var wall, used time.Duration // of ApplyBatch alone: ns/op has the making of the batch, too
				txns := 0
				for b.Loop() {
					logs := changes(b, f.View(), paths[txns%50_000:][:n], kind == "set")
					began, before := time.Now(), cpuTime(b)
					results := f.ApplyBatch(logs)
					wall, used, txns = wall+time.Since(began), used+cpuTime(b)-before, txns+n
					for _, result := range results {
						if o := result.(fsm.Outcome); o.Kind != fsm.Applied {
							b.Fatalf("%+v", o)
						}
					}
				}
				b.ReportMetric(float64(wall.Nanoseconds())/float64(txns), "wall-ns/txn")
				b.ReportMetric(float64(used.Nanoseconds())/float64(txns), "cpu-ns/txn")
			})
		}
	}
}

func changes(b *testing.B, v fsm.View, paths []string, set bool) []*raft.Log {
	logs := make([]*raft.Log, len(paths))
	base := v.Index()
	for i, path := range paths {
		r, _ := v.Get(path)
		x := fsm.Txn{ID: fsm.NewID(), Base: base,
			Conditions: []fsm.Condition{{Kind: fsm.Unchanged, Path: path, Index: r.Mod}},
			Writes:     []fsm.Write{{Path: path, Logical: r.Mod, Value: make([]byte, 1024)}}}
		if set {
			version := path[:len(path)-32] + fmt.Sprintf("%x", x.ID)
			x.Conditions = append(x.Conditions, fsm.Condition{Kind: fsm.Absent, Path: version})
			x.Writes = append(x.Writes, fsm.Write{Path: version, Logical: base, Value: make([]byte, 1024)})
		}
		logs[i] = command(b, base+uint64(i)+1, x)
	}
	return logs
}

// BenchmarkWaiters is the price of a batch when many wait for indexes far ahead.
func BenchmarkWaiters(b *testing.B) {
	for _, n := range []int{0, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := newFSM(b)
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, n)
			for i := range n {
				go func() { done <- f.Wait(ctx, 1<<40+uint64(i)) }()
			}
			measure(b, func(i int) {
				f.Apply(&raft.Log{Index: uint64(i) + 1, Type: raft.LogConfiguration, Data: emptyConfiguration})
			})
			cancel()
			for range n {
				if err := <-done; !errors.Is(err, context.Canceled) {
					b.Fatal(err)
				}
			}
		})
	}
}

var emptyConfiguration = configuration(1).Data

func BenchmarkTxn(b *testing.B) {
	x := replace(1, 1000, "vault/0123456789abcdef0123456789abcdef/secret/database-password", 999,
		string(make([]byte, 1024)))
	encoded, err := x.Sign(key)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		measure(b, func(int) {
			if _, err := x.Sign(key); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("decode", func(b *testing.B) {
		measure(b, func(int) {
			if _, err := fsm.DecodeTxn(encoded); err != nil {
				b.Fatal(err)
			}
		})
	})
}
