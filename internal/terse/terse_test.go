package terse_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/internal/terse"
)

// An output is what a filter lets through; it is written and read at the same time.
type output struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

func (o *output) Len() int { return len(o.String()) }

func newLog(t *testing.T) (*terse.Filter, hclog.Logger, *output) {
	f, out := terse.New(), new(output)
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: out, Exclude: f.Exclude})
	ctx, end := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx, logger) }()
	t.Cleanup(func() { end(); <-done })
	return f, logger, out
}

func count(out *output, word string) int { return strings.Count(out.String(), word) }

func TestRepeatsAreSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, logger, out := newLog(t)
		library := logger.Named("gossip")
		for i := range 2000 {
			library.Error(fmt.Sprintf("memberlist: Decrypt packet failed: no key from=10.0.%d.%d:%d", i/250,
				i%250, i))
			if i < 3 {
				logger.Info("something else")
			}
		}
		if n := count(out, "Decrypt packet failed"); n != 5 {
			t.Errorf("%d lines of 2000 were written", n)
		}
		time.Sleep(terse.While + time.Second)
		synctest.Wait()
		if !strings.Contains(out.String(), "lines=1995") || count(out, "something else") != 3 {
			t.Errorf("the end of the log is %s", out.String()[max(0, out.Len()-300):])
		}
		if f.Held() != 1995 {
			t.Errorf("%d were counted", f.Held())
		}
		library.Error("memberlist: Decrypt packet failed: no key from=10.0.9.9:9")
		if n := count(out, "from=10.0.9.9:9"); n != 1 {
			t.Error("the next while has no line")
		}
	})
}

// A node that is refused asks several times a second, for as long as it runs. One line an hour says
// so of each, and says so at once when the reason is another.
func TestRefusedNodesAreSeldomTold(t *testing.T) {
	const message = "a node is refused because of its release"
	source, err := os.ReadFile("../../cluster/releases.go")
	if err != nil || !strings.Contains(string(source), strconv.Quote(message)) {
		t.Fatalf("no such line is logged any more (%v)", err)
	}
	synctest.Test(t, func(t *testing.T) {
		_, logger, out := newLog(t)
		hours := 3 * time.Hour
		for range int(hours / time.Second) {
			for _, node := range []string{"b", "c"} {
				logger.Error(message, "node", node, "why", errors.New("it is too old"))
			}
			time.Sleep(time.Second)
		}
		if n := count(out, message); n != 6 {
			t.Errorf("of two nodes that are refused for three hours %d lines tell", n)
		}
		logger.Error(message, "node", "b", "why", errors.New("it is too new"))
		if count(out, "too new") != 1 {
			t.Error("another reason is not told")
		}
	})
}

// However many kinds somebody makes up, the lines are bounded.
func TestKindsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, logger, out := newLog(t)
		for i := range 20_000 {
			logger.Warn("kind " + strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(i)))
		}
		if n := count(out, "\n"); n > 600 {
			t.Errorf("%d lines were written", n)
		}
	})
}

// After an orderly stop has begun, connections that break are no error; the disk is one.
func TestEndingIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, logger, out := newLog(t)
		f.End()
		logger.Error("failed to decode incoming command", "error", "transport shutdown")
		logger.Error("memberlist: Failed to send gossip to 127.0.0.1:1: use of closed network connection")
		logger.Error("the store failed")
		if got := out.String(); count(out, "\n") != 1 || !strings.Contains(got, "the store failed") {
			t.Errorf("written was %s", got)
		}
	})
}
