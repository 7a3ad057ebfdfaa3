package lease_test

import (
	"flag"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keyquorum/cluster/lease"
)

// TestWorlds plays random worlds, and looks after each step at what the rules are for.
func TestWorlds(t *testing.T) {
	set(t, "rapid.checks", "1000")
	set(t, "rapid.steps", "400")
	set(t, "rapid.nofailfile", "true")
	set(t, "rapid.shrinktime", "5s")
	rapid.Check(t, func(t *rapid.T) {
		w := newCluster(t)
		believed := map[life]uint64{}
		t.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) {
				w.look(believed)
			},
			"step": func(*rapid.T) { rapid.SampledFrom(deck).Draw(t, "step").do(w) },
		})
	})
}

// set is for what the command line does not say.
func set(t *testing.T, name, value string) {
	f := flag.Lookup(name)
	if before := f.Value.String(); before == f.DefValue {
		f.Value.Set(value)
		t.Cleanup(func() { f.Value.Set(before) })
	}
}

type life struct {
	id      string
	process uint64
}

// look holds the world to what must be true of it at any time.
func (w *cluster) look(believed map[life]uint64) {
	for _, p := range w.peers {
		w.e = max(w.e, p.E)
	}
	for _, p := range w.peers {
		who := life{p.ID, p.Process}
		if p.E < believed[who] {
			w.Errorf("E of %s falls from %d to %d", p.ID, believed[who], p.E)
		}
		believed[who] = p.E
		if p.MayRead(w.clock(p), p.term) {
			w.lookAtReader(p)
		}
	}
}

// lookAtReader: a node that may answer has all that was acknowledged or shown, and its lease is in
// the books of whoever gave it.
func (w *cluster) lookAtReader(p *peer) {
	if p.state() < w.e {
		w.Errorf("%v: %s may read at %d, and E is %d", w.now, p.ID, p.state(), w.e)
	}
	for _, l := range w.peers {
		if l == p || l.Table.Term != p.Lease.Term {
			continue
		}
		booked := false
		for _, g := range l.Table.Leases {
			booked = booked || g.Node == p.ID && g.Process == p.Process && g.Epoch == p.Epoch &&
				w.clock(l) < g.Until
		}
		if !booked {
			w.Errorf("%v: %s may read, and %s does not know", w.now, p.ID, l.ID)
		}
	}
}

type card struct {
	name string
	do   func(w *cluster)
}

func (c card) String() string { return c.name }

// deck is what may happen, the frequent things several times.
var deck = shuffle(map[int][]card{
	8: {
		{"check in", func(w *cluster) {
			if l := w.leader(); l != nil {
				w.exchange(w.any("member"), l, w.trip())
			}
		}},
		{"replicate", func(w *cluster) {
			if l := w.leader(); l != nil {
				w.replicate(l, w.member(l), len(l.log), true)
			}
		}},
	},
	4: {
		{"all check in", func(w *cluster) {
			if l := w.leader(); l != nil {
				config, _ := l.latest()
				for _, s := range config {
					w.exchange(w.peer(s.ID), l, w.trip())
				}
			}
		}},
		{"all catch up", func(w *cluster) {
			if l := w.leader(); l != nil {
				w.catchUp(l)
			}
		}},
		{"write", func(w *cluster) {
			if l := w.leader(); l != nil && l.reign.opened == l.term {
				l.log = append(l.log[:len(l.log):len(l.log)], entry{term: l.term})
				l.count()
			}
		}},
		{"time passes", func(w *cluster) {
			w.now += time.Millisecond * time.Duration(
				rapid.SampledFrom([]int{10, 1000, 250, 50, 100, 500, 1, 20}).Draw(w.T, "ms"))
		}},
		{"apply", func(w *cluster) {
			p := w.any("node")
			p.pos = min(p.pos+rapid.IntRange(1, 4).Draw(w.T, "entries"), p.commit)
		}},
		{"deliver", func(w *cluster) {
			if len(w.messages) > 0 {
				w.deliver(rapid.SampledFrom(w.messages).Draw(w.T, "message"))
			}
		}},
		{"open", func(w *cluster) {
			if l := w.leader(); l != nil {
				if !w.oneIn(4, "at once") {
					l.pos = l.commit
				}
				w.open(l)
			}
		}},
		{"read on", func(w *cluster) {
			if p := w.any("node"); len(p.reads) > 0 {
				r := rapid.SampledFrom(p.reads).Draw(w.T, "read")
				for range rapid.IntRange(1, 6).Draw(w.T, "stages") {
					w.further(p, r)
				}
			}
		}},
	},
	2: {
		{"ask", func(w *cluster) {
			w.post(w.ask(w.any("member"), w.any("whom"), w.trip()))
		}},
		{"come twice", func(w *cluster) {
			if len(w.messages) > 0 {
				m := *rapid.SampledFrom(w.messages).Draw(w.T, "message")
				w.post(&m)
				w.deliver(&m)
			}
		}},
		{"elect", func(w *cluster) {
			p, deaf := w.any("candidate"), 0
			if w.oneIn(2, "some hear nothing") {
				deaf = w.below(1<<len(w.peers), "deaf")
			}
			if w.stand(p, func(id string) bool { return deaf>>(id[1]-'0')&1 == 0 }) {
				w.Logf("%v: %s is elected in term %d", w.now, p.ID, p.term)
			}
		}},
		{"replicate some", func(w *cluster) {
			if l := w.leader(); l != nil {
				some := rapid.IntRange(1, len(l.log)).Draw(w.T, "entries")
				w.replicate(l, w.member(l), some, w.oneIn(2, "acknowledged"))
			}
		}},
		{"move E", func(w *cluster) { w.moveE(w.any("node")) }},
		{"read", func(w *cluster) { w.begin(w.any("node"), w.oneIn(2, "fenced")) }},
	},
	1: {
		{"restart", func(w *cluster) {
			p := w.any("node")
			w.restart(p, rapid.IntRange(1, p.pos).Draw(w.T, "applied"))
			w.Logf("%v: %s restarts at %d", w.now, p.ID, p.state())
		}},
		{"cut", func(w *cluster) { w.far = w.below(1<<len(w.peers), "far") }},
		{"cut one", func(w *cluster) { w.far = w.any("node").bit() }},
		{"heal", func(w *cluster) { w.far = 0 }},
		{"compare", func(w *cluster) { w.any("node").NoteCompared() }},
		{"seal", func(w *cluster) {
			p := w.any("node")
			p.sealed = !p.sealed
			p.GiveBack()
		}},
		{"answer", func(w *cluster) {
			p, l := w.any("node"), w.any("leader")
			p.Settled(l.E, true)
			p.Settled(uint64(len(p.log)), false)
		}},
		{"configure", func(w *cluster) {
			kind := rapid.SampledFrom([]lease.Change{
				lease.Arrive, lease.Promote, lease.Demote, lease.Depart,
			})
			if l := w.leader(); l != nil {
				k, id := kind.Draw(w.T, "change"), w.any("whom").ID
				if w.configure(l, k, id) {
					w.Logf("%v: %s makes change %d of %s", w.now, l.ID, k, id)
				}
			}
		}},
	},
})

func shuffle(cards map[int][]card) (deck []card) {
	for _, times := range []int{8, 4, 2, 1} {
		for range times {
			deck = append(deck, cards[times]...)
		}
	}
	return deck
}

func (w *cluster) trip() time.Duration {
	return time.Millisecond * time.Duration(rapid.SampledFrom([]int{0, 1, 40, 200}).Draw(w.T, "trip"))
}

// catchUp brings most of a leader's log, and its state, to most members.
func (w *cluster) catchUp(l *peer) {
	for range 2 {
		config, _ := l.latest()
		for _, s := range config {
			if p := w.peer(s.ID); p != l && !w.oneIn(8, "lost") {
				w.replicate(l, p, len(l.log), true)
				p.pos = p.commit
			}
		}
	}
	l.pos = l.commit
}

// member is another one of the leader's configuration.
func (w *cluster) member(l *peer) *peer {
	config, _ := l.latest()
	if p := w.peer(rapid.SampledFrom(config).Draw(w.T, "member").ID); p != l {
		return p
	}
	return w.peers[0]
}

// moveE also looks whether E could move before the node would look again.
func (w *cluster) moveE(p *peer) {
	r := w.reading(p)
	p.MoveE(r)
	var then lease.Node
	p.CopyTo(&then)
	soonest := r.Now + 10*time.Second
	next := then.NextMove(r, soonest)
	if p.Table.Open && p.Table.Term == r.Term && next <= r.Now {
		w.Errorf("%s would look again at once", p.ID)
	}
	r.Now = next - 1
	if then.MoveE(r); then.E != p.E {
		w.Errorf("E of %s could be %d before %v, and nobody would look", p.ID, then.E, next)
	}
}

// A copy of a node has nothing in common with it that a step changes.
func TestCopiesAreApart(t *testing.T) {
	filled := lease.Node{Backoffs: []lease.Backoff{{}}}
	filled.Table = lease.Table{Members: []lease.Server{{}}, Reports: []lease.Report{{}},
		Leases: []lease.Granted{{}}, Leaving: []string{""}}
	var other lease.Node
	filled.CopyTo(&other)
	apart(t, "Node", reflect.ValueOf(filled), reflect.ValueOf(other))
}

func apart(t *testing.T, name string, a, b reflect.Value) {
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			apart(t, name+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	case reflect.Slice:
		if a.Len() == 0 {
			t.Errorf("%s is new: the test is to fill it", name)
		} else if b.Len() != a.Len() {
			t.Errorf("%s is not copied", name)
		} else if a.Pointer() == b.Pointer() && name != "Node.Table.Members" {
			t.Errorf("%s is shared", name)
		}
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Interface, reflect.Chan:
		if name != "Node.Limits" { // which never change
			t.Errorf("%s is no plain data", name)
		}
	}
}
