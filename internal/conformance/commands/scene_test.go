package commands_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"keyquorum/testcluster"
)

// A command is a row of the table: what bao and vault make of one command line.
type command struct {
	name  string // without bao or vault
	note  string // what the page says of it beside that it is served, or refused
	spare bool   // it is played at a node that joins, through the one that is visited
	open  bool   // it takes no token
	steps []step // in order; the first one that is refused ends it
}

// A step is one call of a command.
type step struct {
	asks string // method and path below /v1/sys/, or /v1/ where that is no path of sys
	// vaultAsks is what Vault's command asks, where it differs.
	vaultAsks  string
	call       call
	answers    expectation
	sealed     expectation // of an open call to a sealed node, where it differs
	eventually bool        // it may take a while, and is asked again until then
	keep       func(s *scene, answer any)
	then       func(s *scene) error // says what must be so now and is not
}

// A scene is a cluster that one client sees, from the first day on.
type scene struct {
	t      *testing.T
	c      *testcluster.Cluster
	client string
	report *report

	ca      string            // PEM
	holders []*openpgp.Entity // of shares in this order, and of the root token at last

	node   int // that is visited
	other  int // a member that is not visited, and does not lead
	spare  int // a node that joins and is removed again
	led    int // that leads while this one is visited
	leads  bool
	sealed bool
	ids    map[int]string // what the cluster calls its nodes

	shares   []string // in force, hex
	shown    []string // by a rekey, and not in force yet
	nonce    string   // of what is under way
	otp      string   // that masks the root token of now
	encoded  string   // that token, masked
	term     int      // of the keyring
	snapshot []byte
	made     int    // vaults, while there was a snapshot
	vault    string // the path of the last one
}

const (
	spares  = 3 // nodes 0, 1 and 2 are members from the beginning on, this one and the next join
	aWrong  = "hvs.wrongwrongwrongwrongwrong"
	waiting = 30 * time.Second
)

func newScene(t *testing.T, client string, r *report) *scene {
	t.Helper()
	s := &scene{t: t, c: testcluster.Blank(t, spares+2), client: client, report: r,
		ids: map[int]string{}}
	ca, err := os.ReadFile(s.c.CAFile)
	must(t, err)
	s.ca, s.holders = string(ca), newHolders(t, 4)
	return s
}

// session is the client, of the node where the command is played.
func (s *scene) session(c command, token string) (session, *wire, error) {
	at := s.node
	if c.spare {
		at = s.spare
	}
	w := &wire{to: s.c.Client(at).Transport}
	on, err := newSession(s.client, s.c.URL(at), token, w)
	return on, w, err
}

// play makes the calls of a command, as the command line does, and says how the node deviates.
func (s *scene) play(c command, token string) error {
	at, w, err := s.session(c, token)
	if err != nil {
		return err
	}
	for _, step := range c.steps {
		w.calls = nil
		want := s.expected(c, step, token)
		answer, err := s.ask(step, at, want)
		if deviation := want.met(s, answer, err); deviation != nil {
			return fmt.Errorf("%s: %w", step.asked(s.client), deviation)
		}
		if asked := slices.Compact(w.calls); !slices.Equal(asked, []string{step.asked(s.client)}) {
			return fmt.Errorf("the client asks %v, and the list says %s", asked, step.asked(s.client))
		}
		if w.complaint != nil {
			return fmt.Errorf("%s: %w", step.asked(s.client), w.complaint)
		}
		if err != nil {
			return nil
		}
		if step.keep != nil {
			step.keep(s, answer)
		}
		if step.then != nil {
			if err := step.then(s); err != nil {
				return fmt.Errorf("%s: %w", step.asked(s.client), err)
			}
		}
	}
	return nil
}

// ask makes a call, and makes it again for a while where it may take one.
func (s *scene) ask(c step, at session, want expectation) (answer any, err error) {
	for end := time.Now().Add(waiting); ; time.Sleep(200 * time.Millisecond) {
		answer, err = c.call(s, at)
		if !c.eventually || want.met(s, answer, err) == nil || time.Now().After(end) {
			return answer, err
		}
	}
}

// expected is what comes of a step. Who has no token learns nothing, and a sealed node can't tell
// who asks.
func (s *scene) expected(c command, at step, token string) expectation {
	switch {
	case !c.open && s.sealed:
		return refusal{503, "Vault is sealed"}
	case !c.open && token == "":
		return refusal{403, "permission denied: missing client token"}
	case !c.open && token != s.c.Token:
		return refusal{403, "permission denied: invalid token"}
	case s.sealed && at.sealed != nil:
		return at.sealed
	case at.answers == nil:
		return prints{}
	}
	return at.answers
}

func (c step) asked(client string) string {
	asks := c.asks
	if client == clients[1] && c.vaultAsks != "" {
		asks = c.vaultAsks
	}
	method, path, _ := strings.Cut(asks, " ")
	if !strings.HasPrefix(path, "auth/") {
		path = "sys/" + path
	}
	return method + " " + path
}

// visit plays commands at a node with no token, a wrong one and the token, in this order: what is
// refused has changed nothing, or the last would fail.
func (s *scene) visit(where string, commands ...[]command) {
	s.t.Helper()
	for _, c := range slices.Concat(commands...) {
		if !c.of(s.client) {
			continue
		}
		for _, token := range []string{"", aWrong, s.c.Token} {
			err := s.play(c, token)
			s.report.record(c, s.client, where, err)
			if err != nil {
				s.t.Errorf("%s %s at a %s, with %s: %v", s.client, c.name, where,
					s.called(token), err)
			}
		}
	}
}

func (s *scene) called(token string) string {
	switch token {
	case "":
		return "no token"
	case aWrong:
		return "a wrong token"
	}
	return "the token"
}

// of: the client has a method for every step.
func (c command) of(client string) bool {
	return client == clients[0] ||
		!slices.ContainsFunc(c.steps, func(at step) bool { return at.vaultAsks == none })
}

// none stands for what Vault's client asks where it has no such call.
const none = "-"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
