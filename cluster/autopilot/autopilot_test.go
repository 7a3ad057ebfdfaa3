package autopilot_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"keyquorum/cluster/autopilot"
)

// golden is the record as docs/formats-cluster.md has it.
const golden = "01" + "82" + // version; configuration, held
	"86" + "f5" + "1b00000002540be400" + "1b00004e94914f0000" + "1903e8" + "03" + "1b0000000165a0bc00" +
	"82" + "6161" + "6162"

func TestRecordIsWhatItWas(t *testing.T) {
	r := autopilot.Record{Config: autopilot.Default(), Held: []string{"a", "b"}}
	r.Config.CleanUp, r.Config.Stabilization = true, 6*time.Second
	b, err := r.Encode()
	if err != nil || hex.EncodeToString(b) != golden {
		t.Fatalf("encodes as %x, %v", b, err)
	}
	if again, err := autopilot.Decode(b); err != nil || !again.Equal(r) {
		t.Fatalf("decodes as %+v, %v", again, err)
	}
	if told, err := autopilot.Decode(nil); err != nil || told.Config != autopilot.Default() {
		t.Fatalf("a cluster that was told nothing has %+v, %v", told, err)
	}
}

func FuzzDecode(f *testing.F) {
	b, _ := hex.DecodeString(golden)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := autopilot.Decode(b)
		if err != nil || len(b) == 0 {
			return
		}
		if r.Config.Check() != nil {
			t.Errorf("%x decodes to what nobody may set", b)
		}
		again, err := r.Encode()
		if second, err2 := autopilot.Decode(again); err != nil || err2 != nil || !second.Equal(r) {
			t.Errorf("%x does not stay what it is: %v, %v", b, err, err2)
		}
	})
}

func TestConfigurationsThatNobodyMaySet(t *testing.T) {
	for words, change := range map[string]func(c *autopilot.Config){
		"last_contact_threshold must be at least 1s": func(c *autopilot.Config) { c.LastContact = 1 },
		"dead_server_last_contact_threshold must be at least 1m": func(c *autopilot.Config) {
			c.DeadAfter = 59 * time.Second
		},
		"must not be less than last_contact_threshold": func(c *autopilot.Config) {
			c.LastContact, c.DeadAfter = time.Hour, time.Minute
		},
		"server_stabilization_time must not be negative": func(c *autopilot.Config) {
			c.Stabilization = -1
		},
		"less than ten years": func(c *autopilot.Config) { c.Stabilization = math.MaxInt64 },
		"max_trailing_logs":   func(c *autopilot.Config) { c.MaxTrailing = 0 },
		"min_quorum must be 256 at most": func(c *autopilot.Config) {
			c.MinQuorum = 257
		},
		"min_quorum must be set": func(c *autopilot.Config) { c.CleanUp, c.MinQuorum = true, 2 },
	} {
		c := autopilot.Default()
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v, want %q", c, err, words)
		}
	}
}

func TestHeldForgetsWhoIsGone(t *testing.T) {
	r := autopilot.Record{Config: autopilot.Default(), Held: []string{"a", "gone"}}
	member := func(id string) bool { return id != "gone" }
	r = r.Hold("b", true, member).Hold("b", true, member)
	if !slices.Equal(r.Held, []string{"a", "b"}) || !r.Holds("b") {
		t.Errorf("held are %v", r.Held)
	}
	if r = r.Hold("a", false, member); !slices.Equal(r.Held, []string{"b"}) {
		t.Errorf("held are %v", r.Held)
	}
}

// A room is what a leader sees, second by second.
type room struct {
	autopilot.Watch
	now     time.Time
	term    uint64
	record  autopilot.Record
	members []autopilot.Member
}

// newRoom has the leader, n0, and voters, who were all heard just now.
func newRoom(voters int) *room {
	r := &room{now: time.Unix(1e9, 0), term: 2, record: autopilot.Record{Config: autopilot.Default()}}
	for i := range voters {
		r.members = append(r.members, autopilot.Member{
			ID: fmt.Sprint("n", i), Voter: true, Leader: i == 0, Applied: 5000,
		})
	}
	return r
}

func (r *room) look(after time.Duration) autopilot.State {
	r.now = r.now.Add(after)
	return r.Look(r.now, r.term, 5000, r.record, r.members)
}

// Whoever was away, or behind, begins anew; so does everybody with a new leader.
func TestStabilisationBeginsAnew(t *testing.T) {
	r := newRoom(3)
	joiner := &r.members[2]
	joiner.Voter = false
	for name, disturb := range map[string]func(){
		"silent":       func() { joiner.Heard = 11 * time.Second },
		"far behind":   func() { joiner.Applied = 3999 },
		"not heard":    func() { joiner.Heard = -1 },
		"a new leader": func() { r.term++ },
	} {
		may := func() bool {
			s, _ := r.look(0).Find("n2")
			return s.MayVote(r.record.Config)
		}
		r.look(0)
		r.look(10 * time.Second)
		if !may() {
			t.Fatalf("before it is %s it may not vote", name)
		}
		disturb()
		if r.look(time.Second); may() {
			t.Errorf("%s it may vote", name)
		}
		joiner.Heard, joiner.Applied = 0, 4000
		r.look(0)
		if r.look(9900 * time.Millisecond); may() {
			t.Errorf("%s a moment ago it may vote", name)
		}
		if r.look(100 * time.Millisecond); !may() {
			t.Errorf("long after it was %s it may not vote", name)
		}
	}
	r.record = r.record.Hold("n2", true, func(string) bool { return true })
	if s, _ := r.look(time.Hour).Find("n2"); !s.Healthy || s.MayVote(r.record.Config) {
		t.Errorf("demoted: %+v", s)
	}
}

func TestTolerance(t *testing.T) {
	for _, row := range []struct{ voters, silent, want int }{
		{1, 0, 0}, {2, 0, 0}, {3, 0, 1}, {3, 1, 0}, {3, 2, 0}, {4, 0, 1}, {5, 0, 2}, {5, 1, 1}, {5, 2, 0},
	} {
		r := newRoom(row.voters)
		for i := range row.silent {
			r.members[row.voters-1-i].Heard = time.Minute
		}
		if s := r.look(0); s.Tolerance != row.want || s.Healthy != (row.silent == 0) || s.Leader != "n0" {
			t.Errorf("%+v: %d", row, s.Tolerance)
		}
	}
}

// The dead are those that were silent for long under this leader; a voter among them stays where it
// is needed for the quorum, and the leader in any case.
func TestWhoIsDead(t *testing.T) {
	r := newRoom(4)
	r.members = append(r.members, autopilot.Member{ID: "n4", Heard: -1})
	dead := func(after time.Duration) string {
		s, _ := r.look(after).Dead(r.record.Config)
		return s.ID
	}
	r.look(0)
	if got := dead(25 * time.Hour); got != "" {
		t.Errorf("without clean-up %s is to go", got)
	}
	r.record.Config.CleanUp = true
	r.members[0].Heard, r.members[3].Heard = 30*time.Hour, 30*time.Hour
	if got := dead(0); got != "n4" {
		t.Errorf("first %q is to go", got)
	}
	r.members = r.members[:4]
	if got := dead(0); got != "n3" {
		t.Errorf("then %q is to go", got)
	}
	r.record.Config.MinQuorum = 4
	if got := dead(0); got != "" {
		t.Errorf("of the last four %q is to go", got)
	}
	r.record.Config.MinQuorum, r.term = 3, r.term+1
	r.members[3].Heard = -1
	if got := dead(time.Hour); got != "" {
		t.Errorf("a new leader has not heard it for a moment, and %q is to go", got)
	}
}
