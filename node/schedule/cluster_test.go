package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/node/schedule"
	"keyquorum/testcluster"
)

// every is the interval of the tests' schedules.
const every = schedule.Least

// failover is more than a cluster in a bubble takes to have another leader, and the leader to look.
const failover = 30 * time.Second

// A keep is a cluster of three whose snapshots go into one folder.
type keep struct {
	t   *testing.T
	c   *testcluster.Cluster
	dir string
}

func keeping(t *testing.T, dir string, plan schedule.Plan, test func(k *keep)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		plan.Every = every
		if plan.Stores == nil {
			plan.Stores = []schedule.Store{schedule.Folder(dir)}
		}
		c := testcluster.New(t, 3, func(_ int, config *node.Config) { config.Snapshots = plan })
		test(&keep{t, c, dir})
	})
}

// boundary waits for the next interval to begin, and returns when that was.
func boundary() time.Time {
	next := time.Now().UTC().Truncate(every).Add(every)
	time.Sleep(time.Until(next))
	return next
}

// kept are the snapshots that are there, the oldest first, each of which is whole.
func (k *keep) kept() (due []time.Time) {
	k.t.Helper()
	folder := schedule.Folder(k.dir)
	found, err := folder.List(k.t.Context())
	must(k.t, err)
	for _, f := range found {
		if f.Cluster == cluster {
			continue // another one, which keeps its own here
		}
		file, err := os.Open(folder.Path(f.Name))
		must(k.t, err)
		s, err := node.ReadSnapshotFile(file)
		file.Close()
		must(k.t, err)
		if s.Meta.Cluster != f.Cluster {
			k.t.Errorf("%v holds cluster %s", f.Name, s.Meta.Cluster)
		}
		due = append(due, f.Due)
	}
	slices.SortFunc(due, time.Time.Compare)
	return due
}

// has waits for a snapshot, and no longer than a failover takes.
func (k *keep) has(due time.Time) {
	k.t.Helper()
	for end := time.Now().Add(failover); !slices.Contains(k.kept(), due); time.Sleep(time.Second) {
		if time.Now().After(end) {
			k.t.Fatalf("%v after it was due there is no snapshot of %v, only %v", failover, due, k.kept())
		}
	}
}

// others are the files that are no snapshots of this cluster.
func (k *keep) others() (names []string) {
	k.t.Helper()
	entries, err := os.ReadDir(k.dir)
	must(k.t, err)
	for _, e := range entries {
		if name, is := schedule.ParseName(e.Name()); !is || name.Cluster == cluster {
			names = append(names, e.Name())
		}
	}
	return names
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Leaders come and go, at the worst moments, and each interval has one snapshot. The old ones go,
// and nothing else does.
func TestLeadersKeepOneSchedule(t *testing.T) {
	heavy.Test(t)
	keeping(t, t.TempDir(), schedule.Plan{Keep: 3}, func(k *keep) {
		foreign := []string{named(0).String(), named(1).String() + ".txt", "notes",
			"keyquorum-" + cluster + "-old.snap"}
		for _, name := range foreign {
			must(t, os.WriteFile(filepath.Join(k.dir, name), []byte("mine"), 0o600))
		}
		var want []time.Time
		take := func(due time.Time) {
			t.Helper()
			k.has(due)
			want = append(want, due)
		}
		take(time.Now().UTC().Truncate(every)) // at once, and not when the next interval begins

		take(boundary())

		leader := k.c.Leader() // it ends when a snapshot is due
		due := boundary()
		k.c.Kill(leader)
		take(due)
		k.c.Start(leader)
		k.c.Unseal(leader)

		leader = k.c.Leader() // it is cut off, and believes for a while that it leads
		due = boundary()
		k.c.Isolate(leader)
		take(due)
		k.c.Heal()

		leader = k.c.Leader() // it is sealed, and another takes over
		k.c.Seal(leader)
		take(boundary())
		k.c.Unseal(leader)
		take(boundary())

		k.c.Settled()
		if got := k.kept(); !slices.Equal(got, want[len(want)-3:]) {
			t.Errorf("kept are %v, of %v", got, want)
		}
		slices.Sort(foreign)
		if got := k.others(); !slices.Equal(got, foreign) {
			t.Errorf("beside the snapshots there are %q, want %q", got, foreign)
		}
		k.recorded(len(want))
	})
}

// recorded: each snapshot that was kept has two usage records, one from before.
func (k *keep) recorded(times int) {
	k.t.Helper()
	begun, ended := 0, 0
	for i := range 3 {
		for line := range strings.Lines(string(k.c.UsageLog(i))) {
			switch {
			case !strings.Contains(line, `"snapshots/keep"`):
			case strings.Contains(line, `"status":202`):
				begun++
			case strings.Contains(line, `"status":200`):
				ended++
			}
		}
	}
	if begun < times || ended < times {
		k.t.Errorf("of %d snapshots the usage logs have %d beginnings and %d ends", times, begun, ended)
	}
}

// A snapshot that fails is told of, everywhere that an operator looks, and tried again before the
// next is due. The last good one stays.
func TestFailuresAreToldAndTriedAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	must(t, os.Mkdir(dir, 0o700))
	keeping(t, dir, schedule.Plan{KeepFor: time.Hour}, func(k *keep) {
		first := time.Now().UTC().Truncate(every)
		k.has(first)
		leader := k.c.Leader()
		k.says(leader, false)
		if m := k.metric(leader, "newest_seconds"); m != fmt.Sprint(float64(first.Unix())) {
			t.Errorf("the newest is of %s, want %d", m, first.Unix())
		}

		must(t, os.Rename(dir, dir+".away"))
		due := boundary()
		time.Sleep(10 * time.Second)
		k.says(leader, true)
		if m := k.metric(leader, "failures_total"); m != "1" {
			t.Errorf("%s failures", m)
		}

		must(t, os.Rename(dir+".away", dir))
		k.has(due)
		if late := time.Since(due); late > every*3/4 {
			t.Errorf("it was tried again after %v", late)
		}
		k.says(leader, false)
		if got := k.kept(); !slices.Equal(got, []time.Time{first, due}) {
			t.Errorf("kept are %v", got)
		}
		for i := range 3 {
			if m := k.metric(i, "failing"); i != leader && m != "" {
				t.Errorf("node %d, which does not lead, tells of snapshots: %s", i, m)
			}
		}
	})
}

// says looks whether a node says that scheduled snapshots fail.
func (k *keep) says(i int, fail bool) {
	k.t.Helper()
	var seal struct {
		Data struct {
			Snapshots string `json:"scheduled_snapshots"`
		} `json:"data"`
	}
	k.c.Call(i, "GET", "/v1/sys/seal-status", nil, &seal)
	if said := seal.Data.Snapshots; fail != strings.Contains(said, "the last one failed") ||
		strings.Contains(said, k.dir) {
		k.t.Errorf("sys/seal-status says to strangers %q", said)
	}
	var status struct {
		Data struct {
			Outlook []string `json:"outlook"`
		} `json:"data"`
	}
	k.c.Call(i, "GET", "/v1/sys/ha-status", nil, &status)
	outlook := strings.Join(status.Data.Outlook, " ")
	if fail != strings.Contains(outlook, "The last scheduled snapshot into "+k.dir+" failed") {
		k.t.Errorf("sys/ha-status says %q", outlook)
	}
	if got := k.metric(i, "failing"); got != map[bool]string{true: "1", false: "0"}[fail] {
		k.t.Errorf("the metric of failures says %q", got)
	}
	if logged := strings.Contains(string(k.c.Output(i)), "a scheduled snapshot failed"); fail && !logged {
		k.t.Error("the log says nothing")
	}
}

// metric is what a node shows, "" for nothing.
func (k *keep) metric(i int, name string) string {
	k.t.Helper()
	r, err := http.NewRequestWithContext(k.t.Context(), "GET", k.c.URL(i)+"/v1/sys/metrics", nil)
	must(k.t, err)
	r.Header.Set("X-Vault-Token", k.c.Token)
	answer, err := k.c.Client(i).Do(r)
	must(k.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(k.t, err)
	sample := "keyquorum_scheduled_snapshot_" + name + `{store="folder"} `
	for line := range strings.Lines(string(text)) {
		if value, is := strings.CutPrefix(line, sample); is {
			return number(k.t, value)
		}
	}
	return ""
}

func number(t *testing.T, text string) string {
	t.Helper()
	var f float64
	_, err := fmt.Sscan(text, &f)
	must(t, err)
	return fmt.Sprint(f)
}

// A disk that is full has no half snapshot, and keeps the good one.
func TestFullDisk(t *testing.T) {
	dir := small(t, 1<<20)
	keeping(t, dir, schedule.Plan{Keep: 1}, func(k *keep) {
		first := time.Now().UTC().Truncate(every)
		k.has(first)
		leader := k.c.Leader()
		ballast := filepath.Join(dir, "ballast")
		fill(t, ballast)
		due := boundary()
		time.Sleep(10 * time.Second)
		k.says(leader, true)
		if got := k.kept(); !slices.Equal(got, []time.Time{first}) {
			t.Errorf("kept are %v", got)
		}
		if got := k.others(); !slices.Equal(got, []string{"ballast"}) {
			t.Errorf("left is %q", got)
		}
		must(t, os.Remove(ballast))
		k.has(due)
		if got := k.kept(); !slices.Equal(got, []time.Time{due}) {
			t.Errorf("kept are %v", got)
		}
	})
}

// fill writes a file until its disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if _, full := err.(*fs.PathError); !full {
		t.Fatal(err)
	}
}

// A flaky folder keeps its first snapshot otherwise, and says that it did not keep it.
type flaky struct {
	schedule.Folder
	puts *int
}

func (f flaky) Put(ctx context.Context, name schedule.Name, write func(io.Writer) error,
	check func(io.Reader) error) (int64, error) {
	bytes, err := f.Folder.Put(ctx, name, write, check)
	if *f.puts++; *f.puts == 1 && err == nil {
		err = errors.Join(errors.New("the disk has lost it"),
			os.WriteFile(f.Path(name), []byte("half"), 0o600))
	}
	return bytes, err
}

// What an attempt that failed may have left under the name is not taken for a snapshot.
func TestWhatFailedIsNotTrusted(t *testing.T) {
	heavy.Test(t)
	dir := t.TempDir()
	store := flaky{schedule.Folder(dir), new(int)}
	keeping(t, dir, schedule.Plan{Keep: 3, Stores: []schedule.Store{store}}, func(k *keep) {
		first := time.Now().UTC().Truncate(every)
		time.Sleep(every) // the next one is due, and the first may have been made good before
		k.has(first.Add(every))
		if *store.puts < 2 {
			t.Errorf("it was kept in %d attempts", *store.puts)
		}
	})
}

// A stuck folder never ends a snapshot by itself.
type stuck struct {
	schedule.Folder
	entered, left chan struct{}
}

func (s stuck) Put(ctx context.Context, _ schedule.Name, _ func(io.Writer) error,
	_ func(io.Reader) error) (int64, error) {
	s.entered <- struct{}{}
	<-ctx.Done()
	s.left <- struct{}{}
	return 0, ctx.Err()
}

// Sealing a node ends its snapshot, and is no failure of it.
func TestSealEndsASnapshot(t *testing.T) {
	dir := t.TempDir()
	var entered, left chan struct{}
	synctest.Test(t, func(t *testing.T) {
		entered, left = make(chan struct{}), make(chan struct{}) // of the bubble
		c := testcluster.New(t, 1, func(_ int, config *node.Config) {
			config.Snapshots = schedule.Plan{Every: time.Hour, Keep: 1,
				Stores: []schedule.Store{stuck{schedule.Folder(dir), entered, left}}}
		})
		<-entered
		begun := time.Now()
		c.Seal(0)
		<-left
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("a sealed node writes on for %v", took)
		}
		if strings.Contains(string(c.Output(0)), "a scheduled snapshot failed") {
			t.Error("the seal counts as a failure")
		}
		c.Unseal(0)
		<-entered // it begins anew
		c.Seal(0)
		<-left
	})
}

// A hung folder is on a server that is gone: a call there ends with no context, until it is back.
type hung struct {
	schedule.Folder
	entered, back chan struct{}
}

func (h hung) List(ctx context.Context) ([]schedule.Kept, error) {
	select {
	case h.entered <- struct{}{}:
	default:
	}
	<-h.back
	return h.Folder.List(ctx)
}

// A store that hangs is told of, and holds up neither another plan nor the end of its node.
func TestHungFolderHoldsUpNothing(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := hung{schedule.Folder(dir), make(chan struct{}, 1), make(chan struct{})}
		plan := schedule.Plan{Every: every, Keep: 1, Stores: []schedule.Store{h}}
		c := testcluster.New(t, 1, func(_ int, config *node.Config) { config.Snapshots = plan })
		<-h.entered
		time.Sleep(15 * time.Minute) // more than it is given
		(&keep{t, c, dir}).says(0, true)

		plan.Stores = append(plan.Stores, schedule.Folder(other))
		c.Node(0).ChangeSnapshots(plan)
		(&keep{t, c, other}).has(time.Now().UTC().Truncate(every))

		begun := time.Now()
		c.Stop(0)
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("the node ends after %v", took)
		}
		close(h.back)
	})
}
