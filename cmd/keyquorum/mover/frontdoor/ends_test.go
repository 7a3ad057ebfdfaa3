package frontdoor

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	names       = 4 // secrets of the source
	versionsOf  = 3 // of each
	allVersions = names * versionsOf
)

// filled is a source with secrets of several versions, and a destination that knows it.
func filled(t *testing.T) (source, e environment, args []string) {
	t.Helper()
	source = cluster(t, "--vault=old")
	for n := range names {
		for v := range versionsOf {
			source.set(t, fmt.Sprintf("secret-%d", n), fmt.Sprintf("value %d of %d", v, n))
		}
	}
	return source, source.from(cluster(t, "--vault=new")),
		[]string{"import", "azure", "--from", source.url(), "--apply"}
}

// isWhole looks that the destination has every version once, and the newest one as the newest.
func isWhole(t *testing.T, source, e environment) {
	t.Helper()
	for n := range names {
		name := fmt.Sprintf("secret-%d", n)
		sameVersions(t, source, e, name)
		if got := len(e.versions(t, "secret", name)); got != versionsOf {
			t.Errorf("%s has %d versions, want %d", name, got, versionsOf)
		}
		if got, want := e.show(t, "secret", name).Value, source.show(t, "secret", name).Value; got !=
			want {
			t.Errorf("%s ends with %q, want %q", name, got, want)
		}
	}
}

// running is a command that something in the test can end, from the side of its destination.
type running struct {
	mu      sync.Mutex // held until there is a process: its first request may come before
	process *os.Process
	stdout  bytes.Buffer
	stderr  watched
}

// A watched writer can be waited for.
type watched struct {
	mu    sync.Mutex
	text  strings.Builder
	waits string        // what is waited for
	said  chan struct{} // closed once that was written
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(b)
	if w.said != nil && strings.Contains(w.text.String(), w.waits) {
		close(w.said)
		w.said = nil
	}
	return len(b), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// interrupt asks the program to end, and waits until it says that it will.
func (r *running) interrupt() {
	said := make(chan struct{})
	r.stderr.mu.Lock()
	r.stderr.waits, r.stderr.said = "ending once what is being written is", said
	r.stderr.mu.Unlock()
	r.signal(syscall.SIGINT)
	select {
	case <-said:
	case <-time.After(time.Minute): // the test says what is missing
	}
}

func (r *running) run(t *testing.T, e environment, args ...string) (code int) {
	t.Helper()
	cmd := e.command(t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &r.stdout, &r.stderr
	r.mu.Lock()
	err := cmd.Start()
	r.process = cmd.Process
	r.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the code says how it ended
	return cmd.ProcessState.ExitCode()
}

func (r *running) signal(s syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.process.Signal(s)
}

// TestKilledAtAnyWrite kills the program with SIGKILL at each of its writes, before the destination
// has seen it and after that has done it, and lets it run again.
func TestKilledAtAnyWrite(t *testing.T) {
	source, e, args := filled(t)
	killed := 0
	for at := int32(1); at <= allVersions; at++ {
		var own running
		p := &proxy{}
		p.meet = func(n int32, w http.ResponseWriter, pass func(http.ResponseWriter)) {
			switch {
			case n != 1:
				pass(w)
			case at%2 == 0:
				own.signal(syscall.SIGKILL)
				pass(nowhere{http.Header{}})
			default:
				pass(nowhere{http.Header{}})
				own.signal(syscall.SIGKILL)
			}
		}
		if own.run(t, p.before(t, e), append(args, "--parallel=1")...) == -1 {
			killed++
		}
	}
	if killed < allVersions/2 {
		t.Errorf("it was killed %d times", killed)
	}
	last := e.plan(t, args[1:]...)
	if n := last.Summary["moved"] + last.Summary["there"]; n != names {
		t.Errorf("the last run: %+v", last)
	}
	isWhole(t, source, e)
}

// TestLostAnswersAddNothingTwice loses the answers of half of all writes that were done, has the
// destination say that it can't serve after it has done others, and throttles the rest.
func TestLostAnswersAddNothingTwice(t *testing.T) {
	source, e, args := filled(t)
	p := &proxy{}
	p.meet = func(n int32, w http.ResponseWriter, pass func(http.ResponseWriter)) {
		switch n % 4 {
		case 0:
			lost(pass)
		case 1:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			pass(nowhere{http.Header{}})
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			pass(w)
		}
	}
	var own running
	if code := own.run(t, p.before(t, e), args...); code != 0 {
		t.Errorf("exit code %d, %s", code, own.stderr.String())
	}
	isWhole(t, source, e)
}

// TestCtrlCEndsWithWhatWasDone: what is being written is finished, and said.
func TestCtrlCEndsWithWhatWasDone(t *testing.T) {
	source, e, args := filled(t)
	var own running
	p := &proxy{}
	p.meet = func(n int32, w http.ResponseWriter, pass func(http.ResponseWriter)) {
		if n == 5 {
			own.interrupt()
		}
		pass(w)
	}
	code := own.run(t, p.before(t, e), append(args, "--parallel=1", "-format=json")...)
	done := readPlan(t, own.stdout.String())
	says := own.stderr.String()
	if code != 1 || !strings.Contains(says, "goes on from there") || done.Summary["moved"] < 1 ||
		done.Summary["not reached"] < 1 || done.Versions != 5 {
		t.Errorf("exit code %d, %+v, %s", code, done, says)
	}
	if there := count(t, e); there != done.Versions {
		t.Errorf("it says %d versions, and %d are there", done.Versions, there)
	}
	e.must(t, args...)
	isWhole(t, source, e)
}

// count is how many versions all secrets have.
func count(t *testing.T, e environment) (n int) {
	t.Helper()
	for name := range strings.FieldsSeq(e.must(t, "secret", "list", "-q")) {
		n += len(e.versions(t, "secret", name))
	}
	return n
}

// TestADestinationThatGoesAway ends the move with what was done, and how to go on.
func TestADestinationThatGoesAway(t *testing.T) {
	source, e, args := filled(t)
	p := &proxy{}
	p.meet = func(n int32, w http.ResponseWriter, pass func(http.ResponseWriter)) {
		if n < 4 {
			pass(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"error":{"code":"Forbidden","message":"no set any more",`+
			`"innererror":{"code":"ForbiddenByPolicy"}}}`)
	}
	through := p.before(t, e)
	through.refused(t, 2, "grant set", append(args, "--parallel=1")...)
	if n := count(t, e); n != 3 {
		t.Errorf("%d versions are there", n)
	}
	if p.writes.Load() != 4 {
		t.Errorf("it tried %d writes, and went on after it was refused", p.writes.Load())
	}
	e.must(t, args...)
	isWhole(t, source, e)
}

// TestNoValueIsShown looks for values in all that the program prints while things go wrong.
func TestNoValueIsShown(t *testing.T) {
	_, e, args := filled(t)
	p := &proxy{}
	p.meet = func(n int32, w http.ResponseWriter, pass func(http.ResponseWriter)) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":{"code":"BadParameter","message":"no"}}`)
	}
	o := p.before(t, e).call(t, args...)
	if o.code != 2 || strings.Contains(o.stdout+o.stderr, "value 0") ||
		!strings.Contains(o.stderr, "4 of 4 names failed") {
		t.Errorf("exit code %d, %s%s", o.code, o.stdout, o.stderr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if line := strings.Join(e.command(ctx, args...).Args, " "); strings.Contains(line, "value") {
		t.Errorf("the command line is %s", line)
	}
}
