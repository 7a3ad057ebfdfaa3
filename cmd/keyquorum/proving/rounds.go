package proving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/prove"
)

const (
	// What a round keeps in memory and makes in the vault grows with its operations, so a long work is
	// many rounds.
	roundOperations = 1000

	beginPatience    = time.Minute // for the vault, the applications, their tokens
	readBackPatience = time.Minute // a node that was there when we began may be gone
	digestPatience   = time.Minute
	cleanUpPatience  = 2 * time.Minute

	olderThan = 24 * time.Hour // no round takes so long

	stepDownEvery = 2 * time.Second
)

// A proof is rounds of work on a cluster, and what they have shown.
type proof struct {
	settings *proveSettings
	nodes    []*provenNode
	target   prove.Target
	worked   int             // operations of the rounds so far
	patience context.Context // ends when whoever called has no patience left for what follows the work
	progress progress
	report   Report
}

func newProof(ctx context.Context, k *operator.Connection, s *proveSettings) (*proof, error) {
	nodes, err := findNodes(ctx, k, s)
	if err != nil {
		return nil, err
	}
	seed := s.seed
	if seed == 0 {
		seed = uint64(rand.Uint32()) + 1
	}
	p := &proof{settings: s, nodes: nodes, target: proveTarget(nodes, s.served)}
	p.report = Report{Vault: s.vault, Seed: seed, Failures: map[string]int{}, Problems: []string{}}
	for _, n := range nodes {
		p.report.Nodes = append(p.report.Nodes, n.name)
	}
	return p, nil
}

// work goes from round to round until enough is done, ctx ends, or something is wrong. An error
// means that it could not begin.
func (p *proof) work(ctx context.Context, people io.Writer) error {
	if p.settings.time > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.settings.time)
		defer cancel()
	}
	defer p.progress.tell(people)()
	var first *prove.Run
	for p.goesOn(ctx) {
		run, err := p.begin()
		if err != nil && p.report.Rounds == 0 {
			return console.Exit(2, err)
		}
		if err != nil {
			p.report.problem(err)
			break
		}
		if p.report.Rounds == 0 {
			first = run
			p.cleanUpOlder(run)
		}
		p.round(ctx, run)
	}
	if first != nil && first.MadeVault() {
		p.removeVault(first)
	}
	return nil
}

func (p *proof) removeVault(run *prove.Run) {
	p.progress.now("removing the vault")
	if err := p.within(cleanUpPatience, run.RemoveVault); err != nil {
		p.report.problem(fmt.Errorf("vault %s is left: %w", p.settings.vault, err))
	}
}

func (p *proof) goesOn(ctx context.Context) bool {
	enough := p.settings.operations > 0 && p.worked >= p.settings.operations
	return ctx.Err() == nil && !enough && len(p.report.Problems) == 0
}

// cleanUpOlder removes what calls of a day ago have left.
func (p *proof) cleanUpOlder(run *prove.Run) {
	p.progress.now("removing what older calls have left")
	err := p.within(cleanUpPatience, func(ctx context.Context) (err error) {
		p.report.Older, err = run.CleanUpOlder(ctx, time.Now().Add(-olderThan))
		return err
	})
	if err != nil {
		p.report.problem(fmt.Errorf("what older calls have left is not all removed: %w", err))
	}
}

// begin is not cut short by a first interrupt: what it had made by then, nobody would remove.
func (p *proof) begin() (*prove.Run, error) {
	p.progress.now("beginning")
	ctx, cancel := context.WithTimeout(p.patience, beginPatience)
	defer cancel()
	operations := roundOperations
	if p.settings.operations > 0 {
		operations = min(operations, p.settings.operations-p.worked)
	}
	p.worked += operations
	run, err := prove.Begin(ctx, p.target, prove.Options{
		Seed: p.report.Seed + uint64(p.report.Rounds), Vault: p.settings.vault,
		Clients: p.settings.clients, Think: p.settings.pause, Operations: operations,
	})
	if err != nil {
		return nil, err
	}
	return run, nil
}

func (p *proof) round(ctx context.Context, run *prove.Run) {
	p.report.Rounds++
	p.progress.next(run)
	begun := time.Now()
	p.letWork(ctx, run)
	p.report.pause(run.Gap(begun, time.Now()))
	p.progress.now("reading back")
	err := p.within(readBackPatience, run.ReadBack)
	if err == nil {
		err = p.within(digestPatience, p.compareDigests)
	}
	p.progress.now("checking")
	p.report.add(run.Check(), p.settings.pictures)
	p.report.problem(err)
	p.progress.now("cleaning up")
	if err := p.within(cleanUpPatience, run.CleanUp); err != nil {
		err = fmt.Errorf("applications with their grants, and in vault %s secrets and keys, named %s… are left: %w",
			p.settings.vault, run.Prefix(), err)
		p.report.Problems = slices.Insert(p.report.Problems, 0,
			err.Error()) // whoever sees one problem is to see this
	}
}

func (p *proof) within(patience time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(p.patience, patience)
	defer cancel()
	return do(ctx)
}

// letWork lets the clients work until they are done or ctx ends. What they have asked by then is
// answered.
func (p *proof) letWork(ctx context.Context, run *prove.Run) {
	defer context.AfterFunc(ctx, run.Stop)()
	working, done := context.WithCancel(p.patience)
	var disturbance sync.WaitGroup
	if p.settings.destructive {
		disturbance.Go(func() { p.stepDowns(working) })
	}
	run.Work(p.patience)
	done()
	disturbance.Wait()
}

// stepDowns makes the leader step down again and again. Each node passes the wish on to the leader;
// one that finds none is asked in vain.
func (p *proof) stepDowns(ctx context.Context) {
	for i := 0; wait(ctx, stepDownEvery) == nil; i++ {
		if p.nodes[i%len(p.nodes)].Call(ctx, http.MethodPut, "/v1/sys/step-down", nil, nil) == nil {
			p.report.StepDowns++
		}
	}
}

// compareDigests compares what all nodes hold at the newest index that any has reached. Each keeps
// some thousands of digests: where others write so much that it is forgotten already, a newer one
// is compared.
func (p *proof) compareDigests(ctx context.Context) error {
	for {
		newest, err := p.newest(ctx)
		if err != nil {
			return err
		}
		var refused *operator.Refusal
		if err = p.allHold(ctx, newest); !errors.As(err, &refused) || refused.Status != http.StatusGone {
			return err
		}
	}
}

func (p *proof) newest(ctx context.Context) (newest nodeState, err error) {
	for _, n := range p.nodes {
		s, err := n.state(ctx, 0)
		if err != nil {
			return newest, fmt.Errorf("the state of %s: %w", n.name, err)
		}
		if s.Index > newest.Index {
			newest = s
		}
	}
	return newest, nil
}

func (p *proof) allHold(ctx context.Context, want nodeState) error {
	for _, n := range p.nodes {
		s, err := n.state(ctx, want.Index)
		if err != nil {
			return fmt.Errorf("the state of %s at index %d: %w", n.name, want.Index, err)
		}
		if s.Digest != want.Digest {
			return fmt.Errorf("at index %d node %s holds %s, node %s holds %s", want.Index, want.ID,
				want.Digest, n.id, s.Digest)
		}
	}
	p.report.Index, p.report.Digest = want.Index, want.Digest
	return nil
}
