package prove

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// An operation is one request of one client about one object, and what became of it.
type operation struct {
	request
	client int
	node   string

	outcome outcome
	reply   reply  // where the outcome is known
	detail  string // else, what was answered

	// Call and return are places in the order of all events of the run: clocks stand still or differ,
	// counters do not. The call's was taken before the request was sent, the return's when the answer
	// had been read.
	called, returned int64
	began, ended     time.Time // for figures and pictures alone
}

func (op *operation) writes() bool { return verbs[op.verb].writes }

// acknowledged says that a write was made, and its client told so.
func (op *operation) acknowledged() bool {
	return op.writes() && op.outcome == known && op.reply.word == done
}

// perform lets a client ask a node once and records what became of it. It returns nil when it could
// not even be asked.
func (r *Run) perform(ctx context.Context, client, node int, o *object, q request) *operation {
	q.id = r.ids.Add(1)
	c := o.kind.call(o, q)
	if ctx.Err() != nil || r.authenticate(ctx, node, c.app) != nil {
		return nil
	}
	op := &operation{request: q, client: client, node: r.target.Nodes[node].Name, began: time.Now(),
		called: r.events.Add(1)}
	a := r.ask(ctx, node, c, q.id)
	op.returned, op.ended = r.events.Add(1), time.Now()
	op.outcome = a.outcome()
	switch {
	case op.outcome != known:
		op.detail = a.String()
		r.countFailure(op.detail)
	case a.status < 300:
		var err error
		if op.reply, err = o.kind.decode(o, q, a.body); err != nil {
			op.reply = reply{word: strange, note: err.Error()}
		}
	default:
		op.reply = a.refused()
	}
	if a.strangersToken() {
		c.app.discard(node)
	}
	o.record(op)
	return op
}

// refused is what a refusal says in the words of the models.
func (a *answer) refused() reply {
	switch {
	case a.status == http.StatusNotFound && !otherNotFound(a.message):
		return reply{word: missing}
	case a.status == http.StatusConflict && (a.inner == "ObjectIsDeletedButRecoverable" ||
		strings.HasPrefix(a.message, "There is an application")):
		return reply{word: taken}
	case a.status == http.StatusForbidden &&
		slices.Contains([]string{"SecretDisabled", "KeyDisabled", "AccessDenied"}, a.inner):
		return reply{word: disabled}
	case a.status == http.StatusForbidden && a.inner == "ForbiddenByPolicy":
		return reply{word: denied}
	case a.status == http.StatusUnauthorized:
		return reply{word: barred}
	default:
		return reply{word: strange, note: a.String()}
	}
}

// otherNotFound says whether what a 404 says is not about the object.
func otherNotFound(message string) bool {
	return message == "" || strings.HasPrefix(message, "No such path.") ||
		strings.HasPrefix(message, "There is no vault ")
}

func (r *Run) countFailure(detail string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures[detail]++
}

// Gap is the longest time between from and to in which no write was acknowledged.
func (r *Run) Gap(from, to time.Time) time.Duration {
	moments := []time.Time{from, to}
	for _, o := range r.objects {
		o.mu.Lock()
		for _, op := range o.operations {
			if op.acknowledged() && op.ended.After(from) && op.ended.Before(to) {
				moments = append(moments, op.ended)
			}
		}
		o.mu.Unlock()
	}
	slices.SortFunc(moments, time.Time.Compare)
	var longest time.Duration
	for i := range moments[1:] {
		longest = max(longest, moments[i+1].Sub(moments[i]))
	}
	return longest
}

func byCall(a, b *operation) int { return cmp.Compare(a.called, b.called) }
