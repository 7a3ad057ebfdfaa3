package seeds_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"keyquorum/httpapi/seeds"
	"keyquorum/node"
)

// A door is a place of a configuration, whose challenges are good there alone.
type door struct {
	name     string
	shut     bool
	refuses  error
	answered int
}

func (d *door) Challenge(context.Context, string) (node.Challenge, error) {
	if d.shut {
		return node.Challenge{}, errors.New("it is shut")
	}
	if d.refuses != nil {
		return node.Challenge{}, fmt.Errorf("it refuses: %w", d.refuses)
	}
	return node.Challenge{Nonce: []byte(d.name)}, nil
}

func (d *door) Answer(context.Context, node.Answer) (node.Admission, error) {
	d.answered++
	return node.Admission{}, nil
}

// A place that knows an id as removed is enough for another id. A place that refuses the node
// speaks for itself alone: another may have admitted it under its id.
func TestOnePlaceIsEnoughForARemovedID(t *testing.T) {
	first, second := &door{name: "a", shut: true}, &door{name: "b", refuses: node.ErrIDRemoved}
	doors := map[string]*door{"https://a.test:1": first, "https://b.test:1": second}
	s := seeds.NewSearch(seeds.Config{
		Seeds: []seeds.Seed{{API: "https://a.test:1"}, {API: "https://b.test:1"}},
		Reach: func(p seeds.Place) (node.Challenger, error) { return doors[p.API], nil },
	})
	_, err := s.Challenge(t.Context(), "")
	if !errors.Is(err, node.ErrIDRemoved) || errors.Is(err, node.ErrNotAdmitted) {
		t.Errorf("a removed id: %v", err)
	}
	second.refuses = node.ErrNotAdmitted
	if _, err = s.Challenge(t.Context(), ""); err == nil || errors.Is(err, node.ErrNotAdmitted) ||
		errors.Is(err, node.ErrIDRemoved) {
		t.Errorf("a node that is refused: %v", err)
	}
}

// An answer goes to whom its challenge was from, though the search has asked somebody else since.
func TestAnswerGoesWhereItsChallengeIsFrom(t *testing.T) {
	doors := map[string]*door{"https://a.test:1": {name: "a"}, "https://b.test:1": {name: "b"}}
	s := seeds.NewSearch(seeds.Config{
		Seeds: []seeds.Seed{{API: "https://a.test:1"}, {API: "https://b.test:1"}},
		Reach: func(p seeds.Place) (node.Challenger, error) { return doors[p.API], nil },
	})
	first, err := s.Challenge(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	doors["https://a.test:1"].shut = true
	for range 3 { // rounds of the search
		if c, err := s.Challenge(t.Context(), ""); err != nil || string(c.Nonce) != "b" {
			t.Fatalf("the challenge is %q, %v", c.Nonce, err)
		}
	}
	if _, err := s.Answer(t.Context(), node.Answer{Nonce: first.Nonce}); err != nil {
		t.Error(err)
	}
	if a := doors["https://a.test:1"].answered; a != 1 {
		t.Errorf("whoever gave the challenge has %d answers", a)
	}
	if _, err := s.Answer(t.Context(), node.Answer{Nonce: []byte("c")}); err == nil {
		t.Error("an answer to no challenge goes somewhere")
	}
}
