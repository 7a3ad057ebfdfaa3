package seeds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/node"
)

const (
	lookupTime = 5 * time.Second        // for the records of one name
	askTime    = 5 * time.Second        // for one call at one place
	silence    = 250 * time.Millisecond // of one place, until the next one is asked beside it
	shortest   = time.Second            // between two rounds, before half of it is left to chance
	longest    = 10 * time.Second       // likewise, when rounds have failed for a while
)

// Config is what a Search needs.
type Config struct {
	Node     *node.Node
	Seeds    []Seed
	NonVoter bool
	// Reach makes the two join calls at a place.
	Reach    func(Place) (node.Challenger, error)
	Resolver Resolver
	Logger   hclog.Logger
}

// A Search is a node's look for a member. It is a node.Challenger of all places together: what is
// asked goes to the first that answers, and an answer to whom the challenge was from.
type Search struct {
	Config

	mu  sync.Mutex
	met []answered // whose challenges were the last, at most mostMet
	why error      // for which the last round found nobody; nil: it did, or none has ended
	has bool       // some round found somebody
}

// mostMet is more challenges than are under way at a time: one of the search, and one of a node
// that was given its last share.
const mostMet = 8

// NewSearch makes one. Run has it look.
func NewSearch(c Config) *Search { return &Search{Config: c} }

// Run looks until the node is a member, or ctx ends. While the node waits for shares it looks now
// and then whether they are still the ones that are wanted. What it finds goes before a join that
// somebody has asked for.
func (s *Search) Run(ctx context.Context) {
	found := false
	for wait := shortest; !s.isOver(); wait = min(2*wait, longest) {
		err := s.Node.JoinConfigured(ctx, s, s.NonVoter)
		if ctx.Err() != nil {
			return
		}
		s.note(err)
		switch {
		case err != nil:
			s.Logger.Warn("no member lets this node join yet; trying again", "error", err)
		case !found && !s.isOver():
			s.Logger.Info("this node has found its cluster, and becomes a member with enough unseal " +
				"shares (keyquorum operator unseal)")
		}
		if found = err == nil; found {
			wait = longest
		}
		select {
		case <-time.After(wait/2 + rand.N(wait/2)):
		case <-ctx.Done():
			return
		}
	}
}

// isOver says whether the node is a member.
func (s *Search) isOver() bool {
	now := s.Node.SealStatus()
	return now.Initialized && !now.Joining
}

func (s *Search) note(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why, s.has = why, s.has || why == nil
}

// Found says whether a place has let this node join. From then on the join is the configuration's.
func (s *Search) Found() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.has
}

// Why is what the last round found instead of a member, nil where it found one or has not ended.
func (s *Search) Why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// Places is how many the configuration names.
func (s *Search) Places() int { return len(s.Seeds) }

// Challenge asks at all places, one after the other.
func (s *Search) Challenge(ctx context.Context, serverID string) (node.Challenge, error) {
	from, err := inTurn(ctx, len(s.Seeds), func(ctx context.Context, i int) (answered, error) {
		from, err := s.askSeed(ctx, s.Seeds[i], serverID)
		if err != nil {
			err = fmt.Errorf("%s: %w", s.Seeds[i].place(), err)
		}
		return from, err
	})
	if err == nil {
		s.mu.Lock()
		s.met = append(s.met, from)
		s.met = s.met[max(0, len(s.met)-mostMet):]
		s.mu.Unlock()
	}
	return from.challenge, err
}

// askSeed asks at each place of one seed.
func (s *Search) askSeed(ctx context.Context, seed Seed, serverID string) (answered, error) {
	looking, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	places, err := seed.places(looking, s.Resolver)
	if err != nil {
		return answered{}, err
	}
	return inTurn(ctx, len(places), func(ctx context.Context, i int) (answered, error) {
		return s.ask(ctx, places[i], serverID)
	})
}

func (s *Search) ask(ctx context.Context, place Place, serverID string) (answered, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	there, err := s.Reach(place)
	if err != nil {
		return answered{}, err
	}
	challenge, err := there.Challenge(ctx, serverID)
	return answered{there, challenge}, err
}

// failures are what went wrong at each place, in one line.
type failures []error

func (f failures) Error() string {
	texts := make([]string, len(f))
	for i, err := range f {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Is: one place that has heard that an id was removed is enough for another to be taken. Nothing
// else that one place says holds for all: where it refuses, another may have admitted the node.
func (f failures) Is(target error) bool {
	return target == node.ErrIDRemoved && slices.ContainsFunc(f, func(err error) bool {
		return errors.Is(err, target)
	})
}

func (f failures) asOne() error {
	if len(f) == 0 {
		return errors.New("there is no place to ask at")
	}
	return f
}

// Answer goes to whom the challenge was from that it answers: the search may have met another
// since.
func (s *Search) Answer(ctx context.Context, a node.Answer) (node.Admission, error) {
	if there := s.author(a.Nonce); there != nil {
		return there.Answer(ctx, a)
	}
	return node.Admission{}, errors.New("no member has given that challenge")
}

// author is who gave the challenge with a nonce, if that is not long ago.
func (s *Search) author(nonce []byte) node.Challenger {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, met := range s.met {
		if bytes.Equal(met.challenge.Nonce, nonce) {
			return met.there
		}
	}
	return nil
}
