package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
)

// lookEvery is how often an unsealed node looks whether it leads, and whether a snapshot is due.
const lookEvery = 5 * time.Second

// A keeper serves one store.
type keeper struct {
	plan    Plan
	store   Store
	cluster string
	source  Source
	now     func() time.Time
	logger  hclog.Logger
	account *account
	calls   chan struct{} // of the store's: has room for the one attempt that may be under way

	settled Name      // with whose interval nothing is left to do, as long as this node leads
	failed  int       // attempts in a row
	again   time.Time // before then no other attempt is made
	doubted Name      // of a snapshot that may be there, though keeping it failed

	left chan ending // of an attempt that hung and was left to itself; nil: none was
}

// An ending is what came of an attempt, and which snapshot it leaves in doubt.
type ending struct {
	err     error
	doubted Name
}

func (k *keeper) run(ctx context.Context) {
	for {
		k.look(ctx)
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return
		}
	}
}

// look does what is due if this node leads. What it did before is forgotten when it doesn't:
// another goes on.
func (k *keeper) look(ctx context.Context) {
	leading, stop, leads := k.source.WhileLeading(ctx)
	defer stop()
	if !leads {
		k.settled, k.failed, k.again, k.doubted = Name{}, 0, time.Time{}, Name{}
		k.left = nil
		k.account.note(func(f *Figures) { f.Trouble = "" })
		return
	}
	name := Name{k.cluster, k.now().UTC().Truncate(k.plan.Every), k.source.History()}
	if name == k.settled || time.Now().Before(k.again) {
		return
	}
	attempt, cancel := context.WithTimeout(leading, k.plan.patience())
	defer cancel()
	err := k.try(attempt, name)
	switch {
	case err == nil:
		k.succeeded(name)
	case leading.Err() == nil: // else the successor does it, or this node after its next unsealing
		k.fails(err)
	}
}

func (k *keeper) succeeded(name Name) {
	if k.failed > 0 {
		k.logger.Info("the schedule of snapshots is kept again", "store", k.store)
	}
	k.settled, k.failed = name, 0
	k.account.note(func(f *Figures) { f.Trouble = "" })
}

func (k *keeper) fails(err error) {
	k.failed++
	wait := k.plan.retry(k.failed)
	k.again = time.Now().Add(wait)
	k.account.note(func(f *Figures) { f.Failures, f.Trouble = f.Failures+1, err.Error() })
	k.logger.Error("a scheduled snapshot failed", "store", k.store, "error", err, "again in", wait)
}

// hangs is how long an attempt is waited for whose time is over.
const hangs = 2 * time.Second

var errHangs = errors.New("the store does not answer: what is below it hangs (a network file " +
	"system whose server is gone?)")

// try makes an attempt, and leaves it to itself where it hangs: in a folder of a server that is
// gone a call ends with no context, and it may hold up neither a reload nor the end of the node.
// Until that attempt has ended none other is made. Then it is known what it has kept: what it kept
// well is in no doubt, so it is not removed for another.
func (k *keeper) try(ctx context.Context, name Name) error {
	select {
	case k.calls <- struct{}{}:
	default:
		return errHangs
	}
	if k.left != nil {
		k.doubted, k.left = (<-k.left).doubted, nil
	}
	own := *k
	ended := make(chan ending, 1)
	go func() {
		err := own.attempt(ctx, name)
		<-own.calls
		ended <- ending{err, own.doubted}
	}()
	var late <-chan time.Time // never, before the time is over
	for over := ctx.Done(); ; {
		select {
		case e := <-ended:
			k.doubted = e.doubted
			return e.err
		case <-over:
			over, late = nil, time.After(hangs)
		case <-late:
			k.left = ended
			return errHangs
		}
	}
}

// attempt has the snapshot kept that is due, and removes those that are too old. It looks first: it
// may be there already, from this node or another.
func (k *keeper) attempt(ctx context.Context, name Name) error {
	kept, err := k.store.List(ctx)
	if err != nil {
		return fmt.Errorf("the store can't be read: %w", err)
	}
	ours := of(kept, name)
	if k.doubted == name || !has(ours, name) {
		bytes, err := k.take(ctx, name)
		if err != nil {
			return err
		}
		ours = of(append(ours, Kept{name, bytes}), name)
	}
	k.account.note(func(f *Figures) { f.Newest = newest(ours, name.Due) })
	return k.remove(ctx, k.plan.surplus(ours, name.Due))
}

func has(ours []Kept, name Name) bool {
	for _, k := range ours {
		if k.Name == name {
			return true
		}
	}
	return false
}

// newest is when the newest was due, of those that a node with a right clock can have taken by now.
func newest(ours []Kept, due time.Time) time.Time {
	for _, k := range ours {
		if !k.Due.After(due) {
			return k.Due
		}
	}
	return time.Time{}
}

func (k *keeper) take(ctx context.Context, name Name) (bytes int64, err error) {
	begun := time.Now()
	s, err := k.source.Take(ctx, name, k.store.String())
	if err != nil {
		return 0, fmt.Errorf("no snapshot was taken: %w", err)
	}
	if k.doubted == name {
		err = k.store.Remove(ctx, name)
	}
	if err == nil {
		bytes, err = k.store.Put(ctx, name, s.Write, s.Check)
	}
	if errors.Is(err, ErrThere) { // whoever led a moment ago was faster
		return bytes, s.Ended(nil)
	}
	if k.doubted = name; err == nil {
		k.doubted = Name{}
	}
	if err = errors.Join(err, s.Ended(err)); err != nil {
		return 0, fmt.Errorf("the snapshot was not kept: %w", err)
	}
	took := time.Since(begun)
	k.account.note(func(f *Figures) { f.Bytes, f.Took = bytes, took })
	k.logger.Info("kept a scheduled snapshot", "store", k.store, "name", name, "bytes", bytes,
		"took", took)
	return bytes, nil
}

func (k *keeper) remove(ctx context.Context, old []Kept) error {
	for _, o := range old {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := k.store.Remove(ctx, o.Name); err != nil {
			return fmt.Errorf("the newest snapshot is kept, but older ones can't be removed: %w", err)
		}
		k.logger.Info("removed an old scheduled snapshot", "store", k.store, "name", o.Name)
	}
	return nil
}
