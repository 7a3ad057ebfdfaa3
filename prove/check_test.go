package prove

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"
)

var kinds = map[string]struct {
	kind kind
	may  []verb // what may stay without an answer
}{
	"secrets": {secrets(nil), []verb{set, update, remove, undelete, purge, get}},
	"keys":    {keys(nil), []verb{set, update, remove, undelete, purge, sign}},
	"names":   {names{}, []verb{create, drop, find}},
	"access":  {access{}, []verb{grant, enable, revoke, use}},
}

func TestPossibleHistoriesAreAccepted(t *testing.T) {
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				h := play(t, k.kind, k.may...).end()
				somebodysSignatures(t, h)
				if result := h.check(maxSteps); result != porcupine.Ok {
					t.Fatalf("%s:\n%v", result, &Violation{minimal: h})
				}
				if cut := h.until(rapid.Int64Range(0, 2*int64(len(h.operations))).Draw(t,
					"cut")); cut.check(maxSteps) != porcupine.Ok {
					t.Fatalf("a prefix of a possible history is not:\n%v", &Violation{minimal: cut})
				}
			})
		})
	}
}

// somebodysSignatures forgets who made versions, where only signatures have shown them.
func somebodysSignatures(t *rapid.T, h history) {
	unsure := h.unsure()
	for _, op := range h.operations {
		for _, id := range unsure {
			if op.verb == sign && op.reply.version == id && rapid.Bool().Draw(t, "forgotten") {
				op.reply.version = somebody
			}
		}
	}
}

// A lie is an answer that no linearizable cluster gives, at the end of a history that one may have.
type lie struct {
	kind kind
	may  []verb // what may stay without an answer before, and does not excuse the lie
	tell func(p *player) *operation
}

var (
	aSecret, aKey = secrets(nil), keys(nil)
	unanswered    = []verb{set, update}
)

// fresh makes the object live, with a version of its own, and returns the answer.
func (p *player) fresh() *operation {
	p.do(request{verb: undelete})
	return p.do(request{verb: set})
}

// says is an answer whatever the truth.
func says(r reply) func(reply) reply { return func(reply) reply { return r } }

var lies = map[string]lie{
	"a stale read": {aSecret, unanswered, func(p *player) *operation {
		old := p.fresh()
		p.do(request{verb: set})
		return p.lie(request{verb: get}, says(old.reply))
	}},
	"an acknowledged write is gone when it is read back": {aSecret, unanswered,
		func(p *player) *operation {
			p.fresh()
			return p.lie(request{verb: get}, says(reply{word: missing}))
		}},
	"a lost update": {aSecret, unanswered, func(p *player) *operation {
		p.fresh()
		p.do(request{verb: update, on: true})
		return p.lie(request{verb: get}, func(r reply) reply { r.mark = 0; return r })
	}},
	"a version switched off is shown": {aSecret, unanswered, func(p *player) *operation {
		made := p.fresh()
		p.do(request{verb: update, on: false})
		return p.lie(request{verb: get, version: made.id}, says(made.reply))
	}},
	"resurrected after a deletion": {aSecret, unanswered, func(p *player) *operation {
		made := p.fresh()
		p.do(request{verb: remove})
		return p.lie(request{verb: get}, says(made.reply))
	}},
	"a deleted name set again": {aKey, unanswered, func(p *player) *operation {
		p.fresh()
		p.do(request{verb: remove})
		return p.lie(request{verb: set}, func(reply) reply { return version{write: p.ids}.reply() })
	}},
	"recovered after a purge": {aKey, unanswered, func(p *player) *operation {
		made := p.fresh()
		p.do(request{verb: remove})
		p.do(request{verb: purge})
		return p.lie(request{verb: undelete}, says(made.reply))
	}},
	"a deletion that lost an update": {aSecret, unanswered, func(p *player) *operation {
		made := p.fresh()
		p.do(request{verb: update, on: true})
		p.do(request{verb: remove})
		return p.lie(request{verb: undelete}, says(made.reply))
	}},
	"a version gone": {aSecret, nil, func(p *player) *operation {
		made := p.fresh()
		p.do(request{verb: set})
		return p.lie(request{verb: list}, func(r reply) reply {
			all := p.state.(versions).all
			return reply{word: done,
				list: spell(slices.DeleteFunc(slices.Clone(all),
					func(v version) bool { return v.write == made.id }))}
		})
	}},
	"listed after a deletion": {aSecret, unanswered, func(p *player) *operation {
		made := p.fresh()
		p.do(request{verb: remove})
		return p.lie(request{verb: listed}, says(made.reply))
	}},
	"not listed once it is made": {aKey, unanswered, func(p *player) *operation {
		p.fresh()
		return p.lie(request{verb: listed}, says(reply{word: missing}))
	}},
	"not listed where it can be recovered": {aSecret, unanswered, func(p *player) *operation {
		p.fresh()
		p.do(request{verb: remove})
		return p.lie(request{verb: listedDeleted}, says(reply{word: missing}))
	}},
	"listed as it was": {aSecret, unanswered, func(p *player) *operation {
		made := p.fresh()
		p.do(request{verb: update, on: true})
		return p.lie(request{verb: listed}, says(made.reply))
	}},
	"a signature of the version before": {aKey, unanswered, func(p *player) *operation {
		old := p.fresh()
		p.do(request{verb: set})
		return p.lie(request{verb: sign}, says(reply{word: done, version: old.id}))
	}},
	"a signature of nobody's version": {aKey, nil, func(p *player) *operation {
		p.fresh()
		return p.lie(request{verb: sign}, says(reply{word: done, version: somebody}))
	}},
	"an answer that contradicts itself": {aSecret, unanswered, func(p *player) *operation {
		p.fresh()
		return p.lie(request{verb: get},
			says(reply{word: strange, note: "the version of write 1 has the value of write 2"}))
	}},
	"two winners": {names{}, nil, func(p *player) *operation {
		p.do(request{verb: drop})
		p.do(request{verb: create})
		return p.lie(request{verb: create},
			func(reply) reply { return reply{word: done, version: p.ids} })
	}},
	"nobody wins": {names{}, nil, func(p *player) *operation {
		p.do(request{verb: drop})
		return p.lie(request{verb: create}, says(reply{word: taken}))
	}},
	"the loser has it": {names{}, nil, func(p *player) *operation {
		p.do(request{verb: create})
		lost := p.do(request{verb: create})
		return p.lie(request{verb: find}, says(reply{word: done, version: lost.id}))
	}},
	"used after it was revoked": {access{}, nil, func(p *player) *operation {
		p.do(request{verb: enable, on: true})
		p.do(request{verb: grant, rights: mayGet})
		p.do(request{verb: grant})
		return p.lie(request{verb: use, rights: mayGet}, says(reply{word: missing}))
	}},
	"used after it was switched off": {access{}, nil, func(p *player) *operation {
		p.do(request{verb: grant, rights: maySet})
		p.do(request{verb: enable, on: false})
		return p.lie(request{verb: use, rights: maySet}, says(reply{word: done}))
	}},
	"a token for a secret that was revoked": {access{}, nil, func(p *player) *operation {
		p.do(request{verb: enable, on: true})
		p.do(request{verb: revoke, secret: 2})
		return p.lie(request{verb: signIn, secret: 2}, says(reply{word: done}))
	}},
	"used with a token of a secret that was revoked": {access{}, nil, func(p *player) *operation {
		p.do(request{verb: enable, on: true})
		p.do(request{verb: grant, rights: maySet})
		p.do(request{verb: revoke, secret: 1})
		return p.lie(request{verb: use, rights: maySet, secret: 1}, says(reply{word: done}))
	}},
	"a token while it is switched off": {access{}, nil, func(p *player) *operation {
		p.do(request{verb: enable, on: false})
		return p.lie(request{verb: signIn}, says(reply{word: done}))
	}},
	"refused after it was granted": {access{}, nil, func(p *player) *operation {
		p.do(request{verb: enable, on: true})
		p.do(request{verb: grant, rights: mayGet | maySet})
		return p.lie(request{verb: use, rights: maySet}, says(reply{word: denied}))
	}},
}

func TestLiesAreFound(t *testing.T) {
	for name, l := range lies {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				p := play(t, l.kind, l.may...)
				h := p.end()
				if h.check(maxSteps) != porcupine.Ok {
					t.Fatalf("before the lie:\n%v", &Violation{minimal: h})
				}
				p.choose() // so that shrinking keeps the draws apart
				told := l.tell(p)
				for range rapid.IntRange(0, 20).Draw(t, "steps after") {
					p.step(rapid.IntRange(0, len(p.clients)-1).Draw(t, "client"))
				}
				h = p.end()
				if result := h.check(maxSteps); result != porcupine.Illegal {
					t.Fatalf("%s:\n%v", result, &Violation{minimal: h})
				}
				isMinimal(t, h, told)
			})
		})
	}
}

// isMinimal checks that what is shown of a lie fails, ends with the lie, and holds little that did
// not lead to it.
func isMinimal(t *rapid.T, h history, told *operation) {
	if len(h.unsure()) > 1 {
		return // that takes long, where every example is a violation
	}
	m := h.minimal()
	if m.check(maxSteps) != porcupine.Illegal {
		t.Fatalf("the minimal history is possible:\n%v", &Violation{minimal: m})
	}
	if len(h.unsure()) > 0 {
		return // a shorter one may take too long to prove
	}
	idle := 0
	for _, op := range m.operations {
		if op.called > told.returned {
			t.Fatalf("%s came after the lie %s", op, told)
		}
		if op.changedNothing() {
			idle++
		}
	}
	if idle > 2 {
		t.Fatalf("%d operations have changed nothing:\n%v", idle, &Violation{minimal: m})
	}
}

// Many writes without an answer, and a lie in the end: no search gets through that.
func TestWhatTakesTooLongIsUndecided(t *testing.T) {
	o := &object{name: "o", kind: aSecret}
	for i := range int32(24) {
		o.operations = append(o.operations,
			&operation{request: request{verb: set, id: i + 1}, outcome: unknown, called: int64(i)})
	}
	o.operations = append(o.operations,
		&operation{request: request{verb: get}, outcome: known, called: 100, returned: 101,
			reply: reply{word: done, version: 99, on: true}})
	v := (&Run{objects: []*object{o}, options: Options{Seed: 5}}).Check()
	if v.Undecided != 1 || v.Err() == nil || !strings.Contains(v.Err().Error(), "undecided") {
		t.Errorf("the verdict is %v, %v", v, v.Err())
	}
}

// A violation is shown with its seed, as a table and as a page.
func TestViolationsAreShown(t *testing.T) {
	o := &object{name: "prove-1-secret-0", kind: aSecret, operations: []*operation{
		{request: request{verb: set, id: 1}, client: 0, node: "a", outcome: known, called: 1, returned: 2,
			reply: version{write: 1}.reply()},
		{request: request{verb: set, id: 2}, client: 1, node: "b", outcome: known, called: 3, returned: 5,
			reply: version{write: 2}.reply()},
		{request: request{verb: set, id: 3}, client: 3, node: "a", outcome: unknown, called: 4,
			returned: 9, detail: "503 OutcomeUnknown"},
		{request: request{verb: list, id: 4}, client: 2, node: "b", outcome: known, called: 6,
			returned: 7, reply: reply{word: done, list: "1 2"}},
		{request: request{verb: get, id: 5}, client: 2, node: "c", outcome: known, called: 8,
			returned: 10, reply: version{write: 1}.reply()},
		{request: request{verb: get, id: 6}, client: 2, node: "b", outcome: known, called: 11,
			returned: 12, reply: version{write: 2}.reply()},
	}}
	v := (&Run{objects: []*object{o}, options: Options{Seed: 77}}).Check()
	const want = `prove: seed 77: prove-1-secret-0: no order of these operations gives these answers
  client  node  asked       answered                     call..return  
  0       a     set 1       1                            1..2          
  1       b     set 2       2                            3..5          
  3       a     set 3       unknown: 503 OutcomeUnknown  4..           
  2       c     get latest  1                            8..10         
`
	if got := v.Err().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	page, err := v.Violations[0].Draw(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "503 OutcomeUnknown") {
		t.Errorf("%s does not show the history (%v)", page, err)
	}
}

// A restore brings back what the snapshot had, and nothing else; one without an answer may have been
// made or not.
func TestRestoresInHistories(t *testing.T) {
	for _, c := range []struct {
		name           string
		answered, then bool // the restore; whether what is read afterwards is what was then
		possible       bool
	}{
		{"made", true, true, true}, {"made, and not seen", true, false, false},
		{"unknown, and made", false, true, true}, {"unknown, and not made", false, false, true},
	} {
		r := &Run{}
		ops := []*operation{}
		do := func(q request, answer reply) {
			q.id = r.ids.Add(1)
			op := &operation{request: q, outcome: known, reply: answer, called: r.Now()}
			op.returned = r.Now()
			ops = append(ops, op)
		}
		span := func(during func()) Span {
			s := Span{Called: r.Now()}
			during()
			s.Returned = r.Now()
			return s
		}
		first, second := reply{word: done, version: 1, on: true}, reply{word: done, version: 2, on: true}
		do(request{verb: set}, first)
		one := Restore{Done: c.answered}
		one.Saved = span(func() {})
		do(request{verb: set}, second)
		one.Put = span(func() {})
		read := second
		if c.then {
			read = first
		}
		do(request{verb: get}, read)
		r.Restored(one)
		h := history{model: aSecret, operations: append(ops, r.restores...)}
		if result := h.check(maxSteps); (result == porcupine.Ok) != c.possible {
			t.Errorf("%s: %s\n%v", c.name, result, &Violation{minimal: h})
		}
	}
}
