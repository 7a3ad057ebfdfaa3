package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

// A fake node answers calls without a network, so that a test's clock goes on.
type fakeNode func(r *http.Request) (status int, body any)

func (f fakeNode) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := f(r)
	text, err := json.Marshal(body)
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{},
		Body: io.NopCloser(bytes.NewReader(text))}, err
}

// replacing is a replacement of "old" by "new" that has come as far as to the vote.
func replacing(t *testing.T, node fakeNode) (r *replacement, said *bytes.Buffer) {
	said = new(bytes.Buffer)
	c := &cobra.Command{}
	c.SetOut(said)
	c.SetErr(io.Discard)
	format := console.Format("table")
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	t.Cleanup(cancel)
	api := &Client{Base: "https://node", HTTP: &http.Client{Transport: node}}
	return &replacement{c: c, ctx: ctx, format: &format, member: api, fresh: api, votes: true,
		old: &Peer{ID: "old", Voter: true}, newID: "new"}, said
}

// asked answers what a replacement asks of a node: who is a member, and by what one gets its vote.
func asked(r *http.Request, stable string, members ...Peer) (int, any) {
	if strings.HasSuffix(r.URL.Path, "autopilot/configuration") {
		return 200, map[string]any{"data": autopilotConfig{Stabilization: stable}}
	}
	var out RaftConfiguration
	out.Data.Config.Servers = members
	return 200, out
}

// The vote comes when the new node was healthy for as long as autopilot wants, however long that is,
// and though no member leads now and then.
func TestReplaceWaitsForAsLongAsAVoteTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, calls := time.Now(), 0
		r, said := replacing(t, func(q *http.Request) (int, any) {
			if calls++; calls%3 == 1 {
				return 503, map[string]any{"errors": []string{"No leader of the cluster could be reached."}}
			}
			return asked(q, "5m0s", Peer{ID: "new", Voter: time.Since(begun) > 7*time.Minute})
		})
		if err := r.vote(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"healthy for 5m0s", "The new node votes."} {
			if !strings.Contains(said.String(), want) {
				t.Errorf("it does not say %q: %s", want, said)
			}
		}
	})
}

// A vote that does not come is not waited for until the whole command's time is over, and whoever
// waited hears how to go on.
func TestReplaceGivesAVoteUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		r, _ := replacing(t, func(q *http.Request) (int, any) {
			return asked(q, "40s", Peer{ID: "new"})
		})
		err := r.vote()
		if took := time.Since(begun); err == nil || took > 10*time.Minute || took < 40*time.Second {
			t.Fatalf("after %s it ends with %v", took, err)
		}
		for _, want := range []string{"nothing was removed", "raft autopilot state",
			"raft promote new", "--continue"} {
			if said := r.stopped(err).Error(); !strings.Contains(said, want) {
				t.Errorf("it does not say %q: %s", want, said)
			}
		}
	})
}

// A removal whose answer is lost is done all the same: asked for again it is refused, for there is
// no such member.
func TestReplaceSeesThatTheOldOneIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		removed := false
		r, said := replacing(t, func(q *http.Request) (int, any) {
			switch {
			case q.Method == http.MethodGet && removed:
				return asked(q, "10s", Peer{ID: "new", Voter: true})
			case q.Method == http.MethodGet:
				return asked(q, "10s", Peer{ID: "new", Voter: true}, Peer{ID: "old", Voter: true})
			case !removed:
				removed = true
				return 503, map[string]any{"errors": []string{"whether it happened is not known"}}
			}
			return 400, map[string]any{"errors": []string{`server "old" is not in the configuration`}}
		})
		if err := r.remove(); err != nil || !strings.Contains(said.String(), "removed, for ever") {
			t.Errorf("%v: %s", err, said)
		}
	})
}

// A refusal is the end, and nothing is asked for again.
func TestReplaceEndsAtARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := replacing(t, func(q *http.Request) (int, any) {
			if q.Method == http.MethodGet {
				return asked(q, "10s", Peer{ID: "new", Voter: true}, Peer{ID: "old", Voter: true})
			}
			return 400, map[string]any{"errors": []string{"the voters that answer are no majority"}}
		})
		if err := r.remove(); err == nil || !strings.Contains(err.Error(), "no majority") ||
			console.ExitCode(err) != 2 {
			t.Errorf("it ends with %v", err)
		}
	})
}
