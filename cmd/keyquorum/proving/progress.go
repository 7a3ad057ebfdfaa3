package proving

import (
	"fmt"
	"io"
	"sync"
	"time"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/prove"
)

const progressEvery = 2 * time.Second

// A progress says how far a proof has come, to whoever waits for it.
type progress struct {
	mu     sync.Mutex
	doing  string
	run    *prove.Run // nil before the first round
	before tally      // of the rounds before
}

type tally struct{ operations, acknowledged, failures int }

func (t tally) plus(r *prove.Run) tally {
	v := r.Tally()
	t.operations += v.Operations
	t.acknowledged += v.Acknowledged
	for _, n := range v.Failures {
		t.failures += n
	}
	return t
}

// next begins a round.
func (p *progress) next(run *prove.Run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run != nil {
		p.before = p.before.plus(p.run)
	}
	p.run, p.doing = run, "working"
}

func (p *progress) now(doing string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doing = doing
}

// tell says it from time to time until the function that it returns is called.
func (p *progress) tell(people io.Writer) (stop func()) {
	return console.Progress(people, progressEvery, p.line)
}

func (p *progress) line() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.before
	if p.run != nil {
		t = t.plus(p.run)
	}
	return fmt.Sprintf("%s: %d operations, %d acknowledged writes, %d failures", p.doing, t.operations,
		t.acknowledged, t.failures)
}
