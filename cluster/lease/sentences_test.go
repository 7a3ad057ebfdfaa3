package lease_test

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"keyquorum/cluster/lease"
)

func yes(is bool, words string) string {
	if is {
		return words
	}
	before, after, _ := strings.Cut(words, " ")
	return strings.TrimSpace(before + " not " + after)
}

// sentences is the language of the scripts.
var sentences = slices.Concat(worldly, checkingIn, leading, reading)

// What the world and Raft do.
var worldly = []sentence{
	say(`voters NODES`, func(w *world, a words) string {
		for _, id := range strings.Fields(a.String(0)) {
			w.add(id, true)
		}
		return ""
	}),
	say(`members without a vote NODES`, func(w *world, a words) string {
		for _, id := range strings.Fields(a.String(0)) {
			w.add(id, false)
		}
		return ""
	}),
	say(`NODE is promoted`, func(w *world, a words) string {
		for i := range w.latest {
			w.latest[i].Voter = w.latest[i].Voter || w.latest[i].ID == a.String(0)
		}
		return ""
	}),
	say(`the configuration with NODE is not committed`, func(w *world, a words) string {
		w.committed = slices.DeleteFunc(w.committed, func(id string) bool { return id == a.String(0) })
		return ""
	}),
	say(`at MS`, func(w *world, a words) string {
		if a.duration(0) < w.now {
			panic("time does not go back")
		}
		w.now = a.duration(0)
		return ""
	}),
	say(`NODE's clock runs at NUM%`, func(w *world, a words) string {
		m := a.member(0)
		m.clock, m.since, m.percent = w.clock(m), w.now, time.Duration(a.number(1))
		return ""
	}),
	say(`NODES enters? term NUM`, func(_ *world, a words) string {
		for _, m := range a.members(0) {
			m.term = max(m.term, a.number(1))
		}
		return ""
	}),
	say(`NODES (?:has|have) applied NUM`, func(_ *world, a words) string {
		for _, m := range a.members(0) {
			m.applied = a.number(1)
		}
		return ""
	}),
	say(`NODE restarts, and has applied NUM`, func(w *world, a words) string {
		m := a.member(0)
		m.applied = a.number(1)
		m.Node = lease.New(m.Limits, m.ID, m.Process+1, w.reading(m))
		return ""
	}),
	say(`NODE is sealed`, func(_ *world, a words) string {
		a.member(0).sealed = true
		a.member(0).GiveBack()
		return ""
	}),
	say(`NODE is unsealed`, func(_ *world, a words) string {
		a.member(0).sealed = false
		return ""
	}),
	say(`NODE's state is compared with the leader's`, func(_ *world, a words) string {
		a.member(0).NoteCompared()
		return ""
	}),
	say(`NODE's state differs from the leader's`, func(_ *world, a words) string {
		a.member(0).NoteDiffers()
		return ""
	}),
}

// What a member and its leader say to one another. A check-in that is on its way has a letter.
var checkingIn = []sentence{
	say(`NODE checks in with NODE: WANT`, func(w *world, a words) string {
		return w.exchange(w.ask(a.member(0), a.member(1)))
	}),
	// The second check-in echoes what answered the first. No lease is asked for.
	say(`NODES gives? NODE (?:its|their) word`, func(w *world, a words) string {
		for _, m := range append(a.members(0), a.members(0)...) {
			c := w.ask(m, a.member(1))
			c.call.Idle = true
			w.exchange(c)
		}
		return ""
	}),
	say(`NODE asks NODE by NAME`, func(w *world, a words) string {
		w.checkIns[a.String(2)] = w.ask(a.member(0), a.member(1))
		return ""
	}),
	say(`NAME is (?P<want>heard|not heard)`, func(w *world, a words) string {
		w.hear(w.checkIns[a.String(0)])
		return strings.TrimPrefix(yes(w.checkIns[a.String(0)].heard, "is heard"), "is ")
	}),
	say(`NAME is answered: WANT`, func(w *world, a words) string {
		w.answer(w.checkIns[a.String(0)])
		return w.checkIns[a.String(0)].outcome()
	}),
	say(`NAME's answer comes`, func(w *world, a words) string {
		w.take(w.checkIns[a.String(0)])
		return ""
	}),
	say(`NAME's answer comes, and grants MS`, func(w *world, a words) string {
		w.checkIns[a.String(0)].answer.Grant = a.duration(1)
		w.take(w.checkIns[a.String(0)])
		return ""
	}),
	say(`NAME echoes a token of MS`, func(w *world, a words) string {
		c := w.checkIns[a.String(0)]
		c.call.Echo = c.to.clock + a.duration(1)
		return ""
	}),
	// Numbers of nanoseconds that no member with its own key says.
	say(`NAME says that its round trip is NUM`, func(w *world, a words) string {
		w.checkIns[a.String(0)].call.RoundTrip = time.Duration(a.number(1))
		return ""
	}),
	say(`NAME says that it promised NUM`, func(w *world, a words) string {
		w.checkIns[a.String(0)].call.Promised = time.Duration(a.number(1))
		return ""
	}),
	say(`NAME says that its round trip is MS`, func(w *world, a words) string {
		w.checkIns[a.String(0)].call.RoundTrip = a.duration(1)
		return ""
	}),
	say(`NODE (?P<want>may|may not) read`, func(w *world, a words) string {
		m := a.member(0)
		return yes(m.MayRead(w.clock(m), m.term), "may")
	}),
	say(`NODE's clock (?P<want>is|is not) astray`, func(_ *world, a words) string {
		return yes(a.member(0).Astray, "is")
	}),
}

// What a leader does, and what E is.
var leading = []sentence{
	say(`NODE is elected in term NUM`, func(w *world, a words) string {
		m := a.member(0)
		m.term = a.number(1)
		m.Elected(w.reading(m), slices.Clone(w.latest))
		return ""
	}),
	say(`NODE opens its term`, func(w *world, a words) string {
		m := a.member(0)
		m.opened = m.term
		m.Opened(w.reading(m))
		return ""
	}),
	say(`NODE is to open term NUM, which begins at NUM, after NUM`, func(w *world, a words) string {
		w.openings[a.String(0)] = lease.Opening{
			Term: a.number(1), First: a.number(2), Before: a.number(3)}
		return ""
	}),
	say(`NODE (leads|is deposed), committed NUM, of term NUM: (?P<want>opens|waits)`,
		func(w *world, a words) string {
			m, leads := a.member(0), a.String(1) == "leads"
			if w.openings[m.ID].Done(a.number(2), a.number(3), w.reading(m), leads) {
				return "opens"
			}
			return "waits"
		}),
	say(`NODE's E is WANT`, func(w *world, a words) string {
		a.member(0).MoveE(w.reading(a.member(0)))
		return number(a.member(0).E)
	}),
	say(`NODE's E may move at WANT`, func(w *world, a words) string {
		m := a.member(0)
		m.MoveE(w.reading(m))
		next := m.NextMove(w.reading(m), never)
		if next == never {
			return "no time"
		}
		return ms((next-m.clock)*100/m.percent + m.since)
	}),
	say(`a write at NUM is answered at NODE`, func(_ *world, a words) string {
		a.member(1).Settled(a.number(0), true)
		return ""
	}),
	say(`a conflict at NUM is answered at NODE`, func(_ *world, a words) string {
		a.member(1).Settled(a.number(0), false)
		return ""
	}),
	say(`NODE (?P<want>may|may not) (add|promote|demote|remove|cut off) NODE`,
		func(w *world, a words) string {
			kind := map[string]lease.Change{"add": lease.Arrive, "promote": lease.Promote,
				"demote": lease.Demote, "remove": lease.Depart, "cut off": lease.Leave}[a.String(1)]
			return yes(a.member(0).MayChange(w.reading(a.member(0)), kind, a.String(2)), "may")
		}),
	say(`a check-in had (?P<want>better wait|better not wait) at NODE`,
		func(w *world, a words) string {
			m := a.member(0)
			return yes(!m.Firm(w.clock(m), m.term, w.latest), "better wait")
		}),
	say(`NODE changes the voters`, func(w *world, a words) string {
		a.member(0).VotersChange(w.reading(a.member(0)))
		return ""
	}),
	say(`NODE bars NODE for WANT`, func(w *world, a words) string {
		return ms(a.member(0).AccountOf(a.String(1), w.clock(a.member(0))).Barred)
	}),
	say(`NODE's books (?P<want>have|have not) a lease of NODE`, func(w *world, a words) string {
		return yes(a.member(0).AccountOf(a.String(1), w.clock(a.member(0))).Holds, "have")
	}),
}

const never = time.Duration(1<<63 - 1)

var stages = map[lease.Stage]string{
	lease.Looking: "looks", lease.Asking: "asks", lease.Applying: "applies", lease.Viewing: "views",
	lease.Showing: "waits for E", lease.Leaving: "leaves", lease.Gone: "is gone",
}

// What readers do. A read, a fence, and a reader that shares a round have a letter.
var reading = []sentence{
	say(`read NAME begins at NODE: WANT`, func(w *world, a words) string {
		return w.begin(a.String(0), a.member(1), false)
	}),
	say(`read NAME begins at NODE, to be fenced: WANT`, func(w *world, a words) string {
		return w.begin(a.String(0), a.member(1), true)
	}),
	say(`read NAME is fenced at NUM: WANT`, func(w *world, a words) string {
		r := w.reads[a.String(0)]
		r.Fenced(w.clock(r.at), a.number(1))
		return stages[r.Stage]
	}),
	say(`read NAME looks what is applied: WANT`, func(w *world, a words) string {
		r := w.reads[a.String(0)]
		r.Applied(r.at.applied)
		return stages[r.Stage]
	}),
	say(`read NAME views what changed at NUM: WANT`, func(w *world, a words) string {
		r := w.reads[a.String(0)]
		r.Viewed(a.number(1))
		return stages[r.Stage]
	}),
	say(`read NAME looks at E: WANT`, func(w *world, a words) string {
		r := w.reads[a.String(0)]
		r.Shown(r.at.E)
		return stages[r.Stage]
	}),
	say(`read NAME answers: WANT`, func(w *world, a words) string {
		r := w.reads[a.String(0)]
		r.Left(w.clock(r.at), r.at.Life)
		return stages[r.Stage]
	}),
	say(`NODE begins fence NAME: (?P<want>asks NODES|asks nobody)`, func(w *world, a words) string {
		f, ok := lease.BeginFence(w.reading(a.member(0)), a.member(0).opened, w.latest)
		w.fences[a.String(1)] = &f
		if !ok {
			return "asks nobody"
		}
		return "asks " + strings.Join(f.Asks, " ")
	}),
	say(`fence NAME hears NODE in term NUM: (?P<want>holds|goes on|fails)`,
		func(w *world, a words) string {
			f := w.fences[a.String(0)]
			f.Hear(a.String(1), a.number(2))
			switch {
			case f.Holds():
				return "holds"
			case f.Over():
				return "fails"
			}
			return "goes on"
		}),
	say(`fence NAME proves to NODE (?P<want>nothing|\d+)`, func(w *world, a words) string {
		f := w.fences[a.String(0)]
		if !f.Proves(a.member(1).term) {
			return "nothing"
		}
		return number(f.Index)
	}),
	say(`NODE (?P<want>is|is not) a majority alone`, func(w *world, a words) string {
		return yes(lease.Alone(a.String(0), w.latest), "is")
	}),
	say(`a reader joins round WANT`, func(w *world, _ words) string {
		return number(w.rounds.Join())
	}),
	say(`round WANT begins`, func(w *world, _ words) string {
		return number(w.rounds.Begin())
	}),
}

func (w *world) begin(name string, at *member, must bool) string {
	r := &read{lease.Read{Must: must}, at}
	r.Looked(w.clock(at), at.term, at.Tenure)
	w.reads[name] = r
	return stages[r.Stage]
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }
