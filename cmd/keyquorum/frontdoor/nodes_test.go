package frontdoor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// kill ends a node the hard way, and waits until nothing answers at its port.
func (h *house) kill(t *testing.T, number int) {
	t.Helper()
	file := filepath.Join(h.folder, fmt.Sprintf("node%d.pid", number))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || syscall.Kill(pid, syscall.SIGKILL) != nil {
		t.Fatalf("node %d with %q was not killed (%v)", number, text, err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(file); os.IsNotExist(err) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("node %d outlives its end", number)
		}
	}
}

// seal seals a node.
func (h *house) seal(t *testing.T, number int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.folder, fmt.Sprintf("env-%d", number)))
	if err != nil {
		t.Fatal(err)
	}
	c := h.caller(t)
	for line := range strings.Lines(string(text)) {
		if address, ok := strings.CutPrefix(line, "export KEYQUORUM_ADDR="); ok {
			c = c.set("KEYQUORUM_ADDR", strings.TrimSpace(address))
		}
	}
	if o := c.call("operator", "seal"); o.code != 0 {
		t.Fatalf("node %d was not sealed: %s", number, o.stderr)
	}
}

// TestNodesDieAndTheOthersServe, also for tokens, until none is left; then one line says it.
func TestNodesDieAndTheOthersServe(t *testing.T) {
	t.Parallel()
	h := own(t, "--nodes=3")
	c := h.caller(t)
	value := private()
	c.setSecret("outlives", value)
	c.ok("key", "create", "outlives", "--kty=EC")

	storm := h.storm(t, 4)
	storm.await(10)
	h.kill(t, 1) // at which vault and authority are
	storm.await(20)
	storm.end()
	later := private()
	c.doneOnce("after-a-death")
	if got := c.value("outlives"); got != value {
		t.Errorf("the value is %q", got)
	}
	c.setSecret("outlives", later)
	if n := len(c.list("secret", "list-versions", "outlives")); n != 2 {
		t.Errorf("there are %d versions", n)
	}
	c.okGiven("text", "key", "sign", "outlives", "--out=signature")

	h.seal(t, 2)
	if got := c.value("outlives"); got != later {
		t.Errorf("the value is %q", got)
	}
	c.doneOnce("after-a-seal")

	h.seal(t, 3)
	c.refused(2, `sealed.*\(503\); no node that was tried can serve: an operator unseals one`,
		"secret", "list")

	h.kill(t, 2)
	h.kill(t, 3)
	c.refused(2, "cannot be reached .nor can 2 more nodes.: .*refused; is a node running there.*"+
		"--vault, KEYQUORUM_VAULT_URLS", "secret", "list")
}

// A storm sets secrets, from several callers at once, until it is ended.
type storm struct {
	t     *testing.T
	house *house
	done  chan struct{}
	all   sync.WaitGroup
	set   chan string       // a name that was set, or not
	made  map[string][2]int // by name, the least and the most versions that there may be
	mu    sync.Mutex        // guards made
}

func (h *house) storm(t *testing.T, writers int) *storm {
	t.Helper()
	s := &storm{t: t, house: h, done: make(chan struct{}), set: make(chan string),
		made: map[string][2]int{}}
	for w := range writers {
		c := h.caller(t)
		s.all.Go(func() { s.write(c, w) })
	}
	return s
}

func (s *storm) write(c *caller, writer int) {
	for i := 0; ; i++ {
		name := fmt.Sprintf("storm-%d-%d", writer, i)
		o := c.given(private(), "secret", "set", name)
		s.mu.Lock()
		s.made[name] = s.versions(o)
		s.mu.Unlock()
		select {
		case s.set <- name:
		case <-s.done:
			return
		}
	}
}

// versions are the least and the most that there may be after a call: one when it is done, none
// when it was refused, and either where nobody knew.
func (s *storm) versions(o outcome) [2]int {
	switch {
	case o.code == 0:
		return [2]int{1, 1}
	case o.code == 2 && strings.Contains(o.stderr, "may have been made"):
		return [2]int{0, 1}
	case o.code == 2 && strings.Contains(o.stderr, "(503)"): // an election that took long
		return [2]int{0, 0}
	}
	s.t.Errorf("exit code %d, %s", o.code, o.stderr)
	return [2]int{}
}

// await waits for so many writes.
func (s *storm) await(writes int) {
	for range writes {
		<-s.set
	}
}

// end looks for what was set.
func (s *storm) end() {
	s.t.Helper()
	close(s.done)
	s.all.Wait()
	c, unsure := s.house.caller(s.t), 0
	for name, may := range s.made {
		if may[0] != may[1] {
			unsure++
		}
		o := c.call("secret", "list-versions", name, "-q")
		if n := strings.Count(o.stdout, "\n"); n < may[0] || n > may[1] {
			s.t.Errorf("%s has %d versions, and there may be %v", name, n, may)
		}
	}
	s.t.Logf("%d writes while a node died, %d of them in doubt", len(s.made), unsure)
}

// TestASealedNodeSaysWhoUnsealsIt, whatever is asked.
func TestASealedNodeSaysWhoUnsealsIt(t *testing.T) {
	t.Parallel()
	h := own(t, "--nodes=1")
	h.seal(t, 1)
	for _, args := range []string{"secret show hello", "key create hello", "secret set hello"} {
		t.Run(strings.ReplaceAll(args, " ", "_"), func(t *testing.T) {
			t.Parallel()
			h.caller(t).refused(2, `sealed.*\(503\); no node that was tried can serve: an operator unseals`,
				strings.Fields(args)...)
		})
	}
}

// TestNoNodeAtAll says where it looked.
func TestNoNodeAtAll(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	nobody := listening(t, nil).closed(c.house)
	c.set("KEYQUORUM_VAULT_URLS", nobody).refused(2, strings.TrimPrefix(nobody, "https://")+
		" cannot be reached: .*refused; is a node running there", "secret", "list")
	c.refused(2, "this machine does not know the name: look at the URL", "secret", "list",
		"--vault=https://demo.no-such-host.invalid")
	authority := strings.Replace(nobody, "demo", "login", 1)
	c.set("AZURE_AUTHORITY_HOST", authority).refused(2, strings.TrimPrefix(authority, "https://")+
		" cannot be reached: .*AZURE_AUTHORITY_HOST", "secret", "list")
}

// TestNodesWhoseClockIsOff serve, and what has ended for them has ended.
func TestNodesWhoseClockIsOff(t *testing.T) {
	t.Parallel()
	for _, shift := range []time.Duration{-2 * time.Hour, 2 * time.Hour} {
		t.Run(shift.String(), func(t *testing.T) {
			t.Parallel()
			c := own(t, "--nodes=1", "--time-shift="+shift.String()).caller(t)
			c.doneOnce("off")
			o := c.object("key", "create", "off", "--kty=EC", "--expires=1h")
			if ahead := time.Until(o.Created); (ahead - shift).Abs() > time.Minute {
				t.Errorf("the node says that it was made in %v", ahead)
			}
			if shift < 0 {
				c.okGiven("text", "key", "sign", "off", "--algorithm=ES256")
				return
			}
			c.refusedGiven("text", 2, `expired.*\(403\); keyquorum key set-attributes off --expires`,
				"key", "sign", "off", "--algorithm=ES256")
		})
	}
}
