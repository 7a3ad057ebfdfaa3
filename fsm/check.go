package fsm

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/hashicorp/raft"
)

// A check is what can be said of an entry from its bytes and a line of keys: decoding and the
// signature, the dear part. It is made once for each entry and node, off the goroutine that
// applies where there is time for that: while the entry is on its way to disk.
type check struct {
	sum     [32]byte
	line    Line // under which it was made
	txn     Txn
	retired bool  // rightly signed, by a key that has a successor
	refused error // why it changes nothing
	fatal   error // rightly signed, and of a release that this one can't follow

	kept bool // it comes from a snapshot, not from a log
}

// ofSnapshot is the check of an entry that a snapshot holds. The check itself may be shared.
func (c *check) ofSnapshot() *check {
	kept := *c
	kept.kept = true
	return &kept
}

// errUnsigned: no key of the cluster signed it.
var errUnsigned = errors.New("no transaction key of this cluster signed it")

// checkEntry looks at an entry under a line; an empty one takes a founding transaction only.
func checkEntry(b []byte, line Line, anchor Line) *check {
	c := &check{line: line}
	s, err := splitEntry(b)
	if err != nil {
		c.refused = err
		return c
	}
	if len(line) == 0 {
		c.found(s, anchor)
		return c
	}
	key, newest, ok := line.of(s.term)
	if !ok || !s.by(key.Public) {
		c.refused = errUnsigned
		return c
	}
	c.retired = !newest
	c.txn, err = s.decode()
	switch {
	case errors.As(err, new(releaseError)):
		c.fatal = err
	case err != nil:
		c.refused = err
	case c.txn.Verb == Found:
		c.refused = fmt.Errorf("%w: the cluster was founded already", errRule)
	}
	return c
}

// found takes the transaction that begins a cluster: it is signed by the key that it brings, and
// that key begins the line that this member knows its cluster by.
func (c *check) found(s signed, anchor Line) {
	t, err := s.decode()
	if errors.As(err, new(releaseError)) {
		c.refused = err // nobody can say yet whether that is true
		return
	}
	var line Line
	if err == nil {
		line, err = DecodeLine(t.value(PathKeys))
	}
	switch {
	case err != nil:
		c.refused = err
	case t.Verb != Found || len(line) != 1 || line[0].Term != s.term || !s.by(line[0].Public):
		c.refused = errUnsigned
	case !line.Agrees(anchor):
		c.refused = fmt.Errorf("%w: it founds another cluster", errRule)
	default:
		c.txn = t
	}
}

// maxChecks bounds the checks that are kept for entries which are not applied yet.
const maxChecks = 4096

// A checker makes checks and keeps them, by their entries' SHA-256, until the entries are applied.
type checker struct {
	anchor Line // what this member knows its cluster by; empty: whoever founds it
	free   bool // tests only: it is founded by the anchor, and takes any configuration

	mu    sync.Mutex
	made  map[[32]byte]*pending
	order [][32]byte // oldest first
}

func newChecker(o Options) *checker {
	return &checker{anchor: o.Anchor, free: o.free, made: make(map[[32]byte]*pending)}
}

type pending struct {
	done  chan struct{}
	check *check
}

// of returns the check of an entry, which somebody else may be making.
func (c *checker) of(b []byte, line Line) *check {
	sum := sha256.Sum256(b)
	p, mine := c.begin(sum)
	if mine {
		p.check = checkEntry(b, line, c.anchor)
		p.check.sum = sum
		close(p.done)
	}
	<-p.done
	return p.check
}

func (c *checker) begin(sum [32]byte) (p *pending, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.made[sum]; p != nil {
		return p, false
	}
	if len(c.order) == maxChecks {
		delete(c.made, c.order[0])
		c.order = c.order[1:]
	}
	p = &pending{done: make(chan struct{})}
	c.made[sum] = p
	c.order = append(c.order, sum)
	return p, true
}

// take gives the check of an entry that is being applied under line, and forgets it.
func (c *checker) take(made *check, b []byte, line Line) *check {
	c.mu.Lock()
	delete(c.made, made.sum)
	c.mu.Unlock()
	if !line.is(made.line) {
		return checkEntry(b, line, c.anchor)
	}
	return made
}

// all checks a batch, all cores at once. What is no command has no check.
func (c *checker) all(logs []*raft.Log, line Line) []*check {
	made, next := make([]*check, len(logs)), make(chan int)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(logs)) - 1 {
		workers.Go(func() {
			for i := range next {
				made[i] = c.of(logs[i].Data, line)
			}
		})
	}
	for i, l := range logs {
		if l.Type != raft.LogCommand {
			continue
		}
		select {
		case next <- i:
		default: // the others are at work, so this goroutine works too
			made[i] = c.of(l.Data, line)
		}
	}
	close(next)
	workers.Wait()
	return made
}

// Foresee checks the entries' signatures before they are applied, on the caller's goroutine. It
// costs some 50 µs each, and is for whoever has time then.
func (f *FSM) Foresee(entries []*raft.Log) {
	line := f.View().state.line
	for _, l := range entries {
		if l.Type == raft.LogCommand {
			f.checker.of(l.Data, line)
		}
	}
}

// Check says what is wrong with an entry that somebody wants to have in the log, nil for nothing:
// every node would refuse it.
func (f *FSM) Check(b []byte) error {
	c := f.checker.of(b, f.View().state.line)
	return errors.Join(c.refused, c.fatal)
}
