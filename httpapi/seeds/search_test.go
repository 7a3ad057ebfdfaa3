package seeds_test

import (
	"context"
	"errors"
	"testing"

	"keyquorum/httpapi/seeds"
	"keyquorum/node"
)

// A door is a place of a configuration, whose challenges are good there alone.
type door struct {
	name     string
	shut     bool
	answered int
}

func (d *door) Challenge(context.Context, string) (node.Challenge, error) {
	if d.shut {
		return node.Challenge{}, errors.New("it is shut")
	}
	return node.Challenge{Nonce: []byte(d.name)}, nil
}

func (d *door) Answer(context.Context, node.Answer) (node.Admission, error) {
	d.answered++
	return node.Admission{}, nil
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
