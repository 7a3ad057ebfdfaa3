package schedule

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// A Source is an unsealed node, of which snapshots are taken.
type Source interface {
	// WhileLeading is cluster.Cluster's: what it gives ends when the node no longer leads.
	WhileLeading(ctx context.Context) (_ context.Context, stop func(), leads bool)

	// History is the cluster's of now.
	History() History

	// Take takes one that is to be kept under that name in that store.
	Take(ctx context.Context, name Name, store string) (Snapshot, error)
}

// A Snapshot is one that was taken.
type Snapshot interface {
	Write(w io.Writer) error // its file
	Check(r io.Reader) error // that r is this file
	Ended(err error) error   // once, when it is kept or not
}

// A Schedule takes snapshots by a plan, which may change. Its figures outlast the seal.
type Schedule struct {
	Now    func() time.Time // wall clock
	Logger hclog.Logger

	mu      sync.Mutex
	plan    Plan
	kept    []*account    // of the plan's stores
	changed chan struct{} // closed when the plan is another
	calls   map[string]chan struct{}
}

// Change gives it another plan.
func (s *Schedule) Change(plan Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed != nil {
		close(s.changed)
	}
	s.changed, s.plan, s.kept = make(chan struct{}), plan, nil
	for _, store := range plan.Stores {
		s.kept = append(s.kept, &account{Figures: Figures{Kind: store.Kind(), Store: store.String()}})
	}
}

// Run takes the snapshots of a cluster until ctx ends. Each store is served by itself: one that
// hangs does not hold up the others, and no other plan or the end of Run for long.
func (s *Schedule) Run(ctx context.Context, cluster string, source Source) {
	for ctx.Err() == nil {
		s.mu.Lock()
		plan, accounts, changed := s.plan, s.kept, s.changed
		s.mu.Unlock()
		running, stop := context.WithCancel(ctx)
		var all sync.WaitGroup
		for i, store := range plan.Stores {
			k := keeper{plan: plan, store: store, cluster: cluster, source: source, now: s.Now,
				logger: s.Logger, account: accounts[i], calls: s.callsOf(store)}
			all.Go(func() { k.run(running) })
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
		stop()
		all.Wait()
	}
}

// callsOf is a store's, under every plan.
func (s *Schedule) callsOf(store Store) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := store.Kind() + " " + store.String()
	if s.calls == nil {
		s.calls = map[string]chan struct{}{}
	}
	if s.calls[name] == nil {
		s.calls[name] = make(chan struct{}, 1)
	}
	return s.calls[name]
}

// Figures tell of each store of the plan. They are of use on the node that leads.
func (s *Schedule) Figures() []Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Figures
	for _, a := range s.kept {
		all = append(all, a.read())
	}
	return all
}

// Figures say how it goes with one store, as far as this node knows.
type Figures struct {
	Kind, Store string        // the store's
	Newest      time.Time     // when the newest snapshot there was due; zero: not known
	Bytes       int64         // of the last one that this node took
	Took        time.Duration // for that, from taking it until it was read back
	Failures    uint64        // attempts that failed
	Trouble     string        // why the last attempt failed; "": it didn't, or this node doesn't lead
}

// An account is what is written while others read it.
type account struct {
	mu sync.Mutex
	Figures
}

func (a *account) read() Figures {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.Figures
}

func (a *account) note(change func(*Figures)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.Figures)
}
