package prove

import (
	"math/rand/v2"
	"slices"

	"pgregory.net/rapid"
)

// A player makes a history by carrying out requests of several clients one after the other, each at
// some moment between its call and its return. So the history is linearizable, whatever it draws.
type player struct {
	t     *rapid.T
	o     *object // kind, and what choose wants to know
	state any
	may   []verb // what may stay without an answer

	now     int64
	ids     int32
	clients [3]*operation // what each is waiting for
	carried map[*operation]bool
	late    []*operation // without an answer, and not carried out yet
	unsure  int          // writes without an answer
	history history
}

// play draws a history of one kind of object. Requests of the verbs in may can stay without an
// answer.
func play(t *rapid.T, k kind, may ...verb) *player {
	p := &player{t: t, o: &object{kind: k}, state: k.initial(), may: may,
		carried: map[*operation]bool{}, history: history{model: k}}
	for range rapid.IntRange(5, 100).Draw(t, "steps") {
		p.step(rapid.IntRange(0, len(p.clients)-1).Draw(t, "client"))
	}
	return p
}

// step brings one client's operation further, and sometimes what nobody waits for any more.
func (p *player) step(client int) {
	switch op := p.clients[client]; {
	case op == nil:
		p.clients[client] = p.begin(client, p.choose())
	case !p.carried[op] && rapid.Bool().Draw(p.t, "carried out"):
		p.carry(op)
	default:
		p.finish(client)
	}
	if len(p.late) > 0 && rapid.IntRange(0, 3).Draw(p.t, "late") == 0 {
		p.carry(p.late[0])
		p.late = p.late[1:]
	}
}

func (p *player) choose() request {
	p.o.guess, p.o.sets = p.state, 0
	if s, ok := p.state.(versions); ok && s.latest != 0 {
		p.o.made = []made{{write: s.all[0].write}, {write: s.latest}}
		p.o.signature = &signature{version: s.latest}
	}
	return p.o.kind.choose(p.o, rand.New(rand.NewPCG(rapid.Uint64().Draw(p.t, "choice"), 0)))
}

func (p *player) tick() int64 {
	p.now++
	return p.now
}

func (p *player) begin(client int, q request) *operation {
	p.ids++
	q.id = p.ids
	op := &operation{request: q, client: client, called: p.tick(), node: "node"}
	p.history.operations = append(p.history.operations, op)
	return op
}

func (p *player) carry(op *operation) {
	op.reply, p.state = p.o.kind.answer(p.state, op.request)
	p.carried[op] = true
}

// finish answers a client, or leaves it without an answer.
func (p *player) finish(client int) {
	op := p.clients[client]
	p.clients[client] = nil
	op.outcome = known
	if slices.Contains(p.may, op.verb) && p.unsure < maxUnsure &&
		rapid.IntRange(0, 4).Draw(p.t, "no answer") == 0 {
		op.outcome, op.detail = unknown, "no answer in time"
		p.unsure++
		if !p.carried[op] {
			p.late = append(p.late, op)
		}
	} else if !p.carried[op] {
		p.carry(op)
	}
	op.returned = p.tick()
}

// end answers every client.
func (p *player) end() history {
	for client, op := range p.clients {
		if op != nil {
			p.finish(client)
		}
	}
	p.history.operations = slices.DeleteFunc(p.history.operations,
		func(op *operation) bool { return op.outcome == unknown && !op.writes() })
	return p.history
}

// do lets a client ask when nobody else does, and returns the answer.
func (p *player) do(q request) *operation {
	op := p.begin(0, q)
	p.carry(op)
	op.outcome, op.returned = known, p.tick()
	return op
}

// lie is do with an answer that is not the model's.
func (p *player) lie(q request, answer func(truth reply) reply) *operation {
	op := p.do(q)
	op.reply = answer(op.reply)
	return op
}
