package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"keyquorum/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A sink is memory that can be told to refuse, to hold still and to lie down half-way.
type sink struct {
	mu     sync.Mutex
	bytes  []byte
	writes int
	room   int // bytes it still takes; negative: no bound
	quiet  bool
	syncs  int
	syncBy error
	closed bool
	hold   chan struct{} // when set, each write first takes one
}

func newSink() *sink { return &sink{room: -1} }

var errNoSpace = fmt.Errorf("write: %w", syscall.ENOSPC)

func (s *sink) Write(b []byte) (int, error) {
	if s.hold != nil {
		<-s.hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.room < 0 || len(b) <= s.room {
		s.bytes = append(s.bytes, b...)
		s.room -= min(len(b), max(s.room, 0))
		return len(b), nil
	}
	n := s.room
	s.bytes = append(s.bytes, b[:n]...)
	s.room = 0
	if s.quiet {
		return n, nil
	}
	return n, errNoSpace
}

func (s *sink) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.syncs++
	return s.syncBy
}

func (s *sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *sink) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *sink) content() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.bytes)
}

func entry(id string) *audit.Entry {
	return &audit.Entry{
		Time:      time.Date(2026, 3, 4, 5, 6, 7, 89_000, time.FixedZone("", 3600)),
		RequestID: id, Node: "n1", Plane: "app", OID: "o1", AppID: "a1", Remote: "127.0.0.1:5000",
		Operation: "secrets/get", Vault: "demo", Object: "db-password", Version: "0123", Status: 200,
		Duration: 1234567 * time.Nanosecond, ClientRequest: "c-1",
	}
}

func mustWrite(t *testing.T, l *audit.Log, id string) {
	t.Helper()
	if err := l.Write(entry(id)); err != nil {
		t.Fatalf("Write(%s): %v", id, err)
	}
}

func mustClose(t *testing.T, l *audit.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// ids returns the request ids of the whole lines, and how many lines were torn or empty.
func ids(t *testing.T, content string) (whole []string, torn int) {
	t.Helper()
	for line := range strings.Lines(content) {
		var got struct {
			RequestID string `json:"request_id"`
		}
		if json.Unmarshal([]byte(line), &got) != nil {
			torn++
			continue
		}
		whole = append(whole, got.RequestID)
	}
	return whole, torn
}

func TestLineIsGolden(t *testing.T) {
	s := newSink()
	l := audit.OpenSink(s)
	mustWrite(t, l, "r1")
	e := audit.Entry{Time: time.Unix(0, 0), Plane: "operator", Accessor: "acc",
		Remote: "192.0.2.7", Via: "10.1.0.1:5000", Operation: "sys/seal",
		Status: 403, Code: "permission denied"}
	if err := l.Write(&e); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	want := `{"time":"2026-03-04T04:06:07.000089Z","request_id":"r1","node":"n1","plane":"app","oid":"o1","appid":"a1",` +
		`"remote":"127.0.0.1:5000","operation":"secrets/get","vault":"demo","object":"db-password","version":"0123",` +
		`"status":200,"duration_us":1234,"client_request_id":"c-1"}` + "\n" +
		`{"time":"1970-01-01T00:00:00.000000Z","plane":"operator","accessor":"acc",` +
		`"remote":"192.0.2.7","via":"10.1.0.1:5000","operation":"sys/seal",` +
		`"status":403,"code":"permission denied","duration_us":0}` + "\n"
	if got := s.content(); got != want {
		t.Errorf("lines are\n%swant\n%s", got, want)
	}
	if !s.closed {
		t.Error("Close left the sink open")
	}
}

func TestHostileFieldsStayInTheirLine(t *testing.T) {
	for name, c := range map[string]struct{ object, want string }{
		"newline":        {"a\nb\r", "a\nb\r"},
		"quote":          {`a"},{"x":"\`, `a"},{"x":"\`},
		"nul and escape": {"\x00\x1b[2J\x7f", "\x00\x1b[2J\x7f"},
		"invalid UTF-8":  {"a\xff\xc0b", "a\ufffd\ufffdb"},
		"line separator": {"a\u2028b\u0085", "a\u2028b\u0085"},
		"beyond 16 bits": {"🔑", "🔑"},
		"too long":       {strings.Repeat("x", 600), strings.Repeat("x", 512) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSink()
			l := audit.OpenSink(s)
			e := entry("r")
			e.Object = c.object
			if err := l.Write(e); err != nil {
				t.Fatal(err)
			}
			mustClose(t, l)
			var got map[string]any
			if err := json.Unmarshal([]byte(s.content()), &got); err != nil {
				t.Fatal(err)
			}
			if got["object"] != c.want {
				t.Errorf("object reads back as %q, want %q", got["object"], c.want)
			}
			for i, c := range []byte(strings.TrimSuffix(s.content(), "\n")) {
				if c < ' ' || c > '~' {
					t.Fatalf("byte %d is %#x: not printable ASCII", i, c)
				}
			}
		})
	}
}

func TestClientRequestIsCutTo64PrintableCharacters(t *testing.T) {
	s := newSink()
	l := audit.OpenSink(s)
	e := entry("r")
	e.ClientRequest = "\n" + strings.Repeat("é\"", 100)
	if err := l.Write(e); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	var got map[string]any
	if err := json.Unmarshal([]byte(s.content()), &got); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat(`"`, 64); got["client_request_id"] != want {
		t.Errorf("client_request_id is %q, want %q", got["client_request_id"], want)
	}
}

func TestWaitingEntriesShareOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.hold = make(chan struct{})
		l := audit.OpenSink(s)
		var all sync.WaitGroup
		all.Go(func() { mustWrite(t, l, "first") })
		synctest.Wait() // the writer holds the first group
		for i := range 100 {
			all.Go(func() { mustWrite(t, l, fmt.Sprint(i)) })
		}
		synctest.Wait()
		close(s.hold)
		all.Wait()
		mustClose(t, l)
		if s.writes != 2 {
			t.Errorf("101 entries took %d writes, want 2", s.writes)
		}
		if whole, torn := ids(t, s.content()); len(whole) != 101 || torn != 0 {
			t.Errorf("%d whole and %d torn lines, want 101 and 0", len(whole), torn)
		}
	})
}

func TestEveryCallerOfAFailedGroupIsTold(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		t.Run(fmt.Sprintf("short write without error=%v", quiet), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSink()
				s.hold, s.room, s.quiet = make(chan struct{}), 1000, quiet
				l := audit.OpenSink(s)
				errs := make(chan error, 51)
				go func() { errs <- l.Write(entry("first")) }()
				synctest.Wait()
				for range 50 {
					go func() { errs <- l.Write(entry("later")) }()
				}
				synctest.Wait()
				close(s.hold)
				failed := 0
				for range 51 {
					if err := <-errs; errors.Is(err, syscall.ENOSPC) || errors.Is(err, io.ErrShortWrite) {
						failed++
					}
				}
				if failed != 50 {
					t.Errorf("%d callers got the error, want the 50 of the second group", failed)
				}
				mustClose(t, l)
			})
		})
	}
}

func TestTornLineNeverMergesWithAGoodOne(t *testing.T) {
	for room := range 700 { // every place where the disk can be full within the first two lines
		s := newSink()
		s.room = room
		l := audit.OpenSink(s)
		acknowledged := map[string]bool{}
		for _, id := range []string{"r1", "r2", "r3"} {
			acknowledged[id] = l.Write(entry(id)) == nil
		}
		s.set(func() { s.room = -1 }) // somebody made room
		mustWrite(t, l, "r4")
		acknowledged["r4"] = true
		mustClose(t, l)
		whole, torn := ids(t, s.content())
		if torn > 1 {
			t.Fatalf("room %d: %d torn lines in\n%s", room, torn, s.content())
		}
		found := map[string]bool{}
		for _, id := range whole {
			found[id] = true
		}
		for id, ok := range acknowledged {
			if ok && !found[id] {
				t.Fatalf("room %d: %s was acknowledged and is not a whole line of\n%s", room, id, s.content())
			}
		}
	}
}

func TestSyncOncePerSecondWhileDirty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		l := audit.OpenSink(s)
		time.Sleep(10 * time.Second) // the bubble's clock
		for range 300 {
			mustWrite(t, l, "r")
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if s.syncs < 2 || s.syncs > 3 {
			t.Errorf("%d syncs in three busy seconds after ten idle ones, want 2 or 3", s.syncs)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if s.syncs > 3 {
			t.Errorf("%d syncs after an idle hour, want no more than 3", s.syncs)
		}
		mustClose(t, l)
	})
}

func TestFailedSyncRefusesUntilOneSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.syncBy = syscall.EIO
		l := audit.OpenSink(s)
		mustWrite(t, l, "r1")
		time.Sleep(1500 * time.Millisecond)
		if err := l.Write(entry("r2")); !errors.Is(err, syscall.EIO) {
			t.Errorf("Write after a failed sync: %v, want EIO", err)
		}
		s.set(func() { s.syncBy = nil })
		time.Sleep(time.Second)
		mustWrite(t, l, "r3")
		mustClose(t, l)
		if whole, _ := ids(t, s.content()); fmt.Sprint(whole) != "[r1 r3]" {
			t.Errorf("written: %v, want r1 and r3", whole)
		}
	})
}

func TestCloseReportsAFailedSync(t *testing.T) {
	s := newSink()
	l := audit.OpenSink(s)
	mustWrite(t, l, "r1")
	s.set(func() { s.syncBy = syscall.EIO })
	for range 2 {
		if err := l.Close(); !errors.Is(err, syscall.EIO) {
			t.Errorf("Close: %v, want EIO", err)
		}
	}
}

func TestClosedLogRefuses(t *testing.T) {
	l := audit.OpenSink(newSink())
	mustClose(t, l)
	if err := l.Write(entry("r")); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("Write: %v, want ErrClosed", err)
	}
	if err := l.Reopen(); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("Reopen: %v, want ErrClosed", err)
	}
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.hold = make(chan struct{})
		l := audit.OpenSink(s)
		e := entry("r")
		e.Object = strings.Repeat("\x00", 512) // 3 KiB when escaped
		const callers = 4000
		errs := make(chan error, callers)
		go func() { errs <- l.Write(e) }()
		synctest.Wait() // the disk holds this one: no later one leaves the queue
		for range callers - 1 {
			go func() { errs <- l.Write(e) }()
		}
		synctest.Wait()
		close(s.hold)
		full := 0
		for range callers {
			switch err := <-errs; {
			case errors.Is(err, audit.ErrFull):
				full++
			case err != nil:
				t.Fatal(err)
			}
		}
		mustClose(t, l)
		whole, torn := ids(t, s.content())
		if full == 0 || len(whole) != callers-full || torn != 0 {
			t.Errorf("%d refused, %d lines, %d torn of %d entries", full, len(whole), torn, callers)
		}
	})
}

func TestManyWritersAndRotations(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	l, err := audit.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				mustWrite(t, l, fmt.Sprintf("%d-%d", i, j))
			}
		})
	}
	for i := range 5 {
		if err := os.Rename(path, filepath.Join(dir, fmt.Sprint("old", i))); err != nil {
			t.Fatal(err)
		}
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	mustClose(t, l)
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	seen := map[string]int{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		whole, torn := ids(t, string(b))
		if torn > 0 {
			t.Errorf("%d torn lines in %s", torn, name)
		}
		for _, id := range whole {
			seen[id]++
		}
	}
	if len(names) != 6 || len(seen) != 1600 {
		t.Errorf("%d records in %d files, want 1600 in 6", len(seen), len(names))
	}
}

func TestFileIsAppendedToAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for _, id := range []string{"r1", "r2"} {
		l, err := audit.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, l, id)
		mustClose(t, l)
	}
	b, _ := os.ReadFile(path)
	if whole, _ := ids(t, string(b)); fmt.Sprint(whole) != "[r1 r2]" {
		t.Errorf("the file holds %v, want r1 and r2", whole)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, want 0600", info.Mode().Perm())
	}
}

func TestHalfALineFromAnEarlierProcessIsClosedOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte(`{"time":"2026`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := audit.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, l, "r1")
	mustClose(t, l)
	b, _ := os.ReadFile(path)
	if !bytes.HasPrefix(b, []byte(`{"time":"2026`+"\n"+`{"time":"`)) {
		t.Errorf("the good line was merged with the torn one:\n%s", b)
	}
}

func TestReopenKeepsTheOldFileWhenTheNewOneFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := audit.Open(filepath.Join(dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+"-moved"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil || !strings.Contains(err.Error(), "audit.log") {
		t.Errorf("Reopen: %v, want an error that names the file", err)
	}
	mustWrite(t, l, "r1")
	mustClose(t, l)
	b, _ := os.ReadFile(filepath.Join(dir+"-moved", "audit.log"))
	if whole, _ := ids(t, string(b)); len(whole) != 1 {
		t.Errorf("the old file holds %v, want r1", whole)
	}
}

func TestOpenNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "missing", "audit.log"), dir, link} {
		if _, err := audit.Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%s): %v, want an error that names it", path, err)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("r1", "db-password", "c-1", "Forbidden", int64(1234), 200)
	f.Add("\n\"\\", "\xff\u2028🔑", "é\x00", "", int64(-1), -1)
	f.Fuzz(func(t *testing.T, id, object, client, code string, ns int64, status int) {
		s := newSink()
		l := audit.OpenSink(s)
		e := entry(id)
		e.Object, e.ClientRequest, e.Code, e.Duration, e.Status = object, client, code, time.Duration(ns),
			status
		if err := l.Write(e); err != nil {
			t.Fatal(err)
		}
		mustClose(t, l)
		line := s.content()
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
			t.Fatalf("not one line: %q", line)
		}
		var got struct {
			RequestID string `json:"request_id"`
			Object    string `json:"object"`
			Operation string `json:"operation"`
			Status    int    `json:"status"`
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("not JSON: %v: %q", err, line)
		}
		if got.Status != status || got.Operation != "secrets/get" {
			t.Fatalf("another field was overwritten: %q", line)
		}
		if want := validUTF8(object); len(object) <= 512 && got.Object != want {
			t.Fatalf("object %q reads back as %q", object, got.Object)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			l, err := audit.Open(filepath.Join(b.TempDir(), "audit.log"))
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			e := entry("0123456789abcdef0123456789abcdef")
			b.ReportAllocs()
			b.SetParallelism(clients)
			if clients == 1 {
				for b.Loop() {
					if err := l.Write(e); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := l.Write(e); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// validUTF8 replaces each invalid byte by U+FFFD, as encoding/json does.
func validUTF8(s string) string { return string([]rune(s)) }
