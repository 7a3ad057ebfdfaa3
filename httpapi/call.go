package httpapi

import (
	"context"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"keyquorum/httpapi/wire"
	"keyquorum/internal/uuid"
	"keyquorum/vault"
)

// A call is one HTTP request on its way through a plane.
type call struct {
	h      *Handler
	w      http.ResponseWriter
	r      *http.Request
	ctx    context.Context
	req    vault.Request
	vaults *vault.Vaults // nil while this node can't serve
	route  *route        // nil while none was found
	params params
	body   *[]byte       // pooled; nil until read, or used to open a value in
	room   chan struct{} // the call has one of these places for what is large; nil while nothing is
	out    *[]byte       // pooled; the answer's body
	shared []byte        // the answer's body instead, where many answers have the same; never written to
	stream streamer      // the answer's body instead, of any length
	status int           // of the answer
	format format

	place      place          // application plane
	caller     vault.Caller   // application plane
	version    string         // application plane: the api-version asked for
	operator   vault.Operator // operator plane
	authorized bool           // operator plane: operator is one
	proved     bool           // operator plane: no token, but the unseal shares
	detail     string         // operator plane: what was made so, for the usage record
	nowhere    error          // why it can't be said where the call comes from
}

// A format is how a plane writes a failure: it appends the body.
type format func(c *call, f *wire.Failure, dst []byte) []byte

func (h *Handler) newCall(w http.ResponseWriter, r *http.Request, f format) *call {
	c := &call{
		h: h, w: w, r: r, ctx: r.Context(), out: wire.TakeBuffer(), status: http.StatusOK, format: f,
		req: vault.Request{
			ID:            uuid.New(),
			ClientRequest: wire.Printable(r.Header.Get("X-Ms-Client-Request-Id")),
			Start:         time.Now(),
		},
	}
	c.locate()
	return c
}

// locate finds out where the call comes from. From here on the request's RemoteAddr, too, is the
// caller's address: nothing else in this package asks a connection for one.
func (c *call) locate() {
	peer := c.r.RemoteAddr
	if conn, ok := c.r.Context().Value(connKey{}).(*apiConn); ok {
		peer = conn.peer
	}
	var client string
	client, c.nowhere = c.h.trust.Load().Client(c.r.RemoteAddr, c.r.Header["X-Forwarded-For"])
	if c.nowhere == nil {
		c.r.RemoteAddr = client
	}
	c.req.Remote = c.r.RemoteAddr
	if peer != c.req.Remote {
		c.req.Via = peer
	}
}

// run does the call and answers it in time, whatever happens in it. What comes before its route has
// requestTime.
func (c *call) run(do func(c *call) error) {
	c.h.meters.inFlight.Add(1)
	defer c.release()
	ctx, cancel := context.WithTimeout(c.ctx, requestTime)
	defer cancel()
	c.ctx = ctx
	if err := c.guarded(do); err != nil {
		c.fail(err)
	}
	c.write()
}

// perform serves a route in its own time, if it has one.
func (c *call) perform() error {
	within := c.route.within
	if within == 0 {
		return c.route.serve(c)
	}
	ctx, cancel := context.WithDeadline(c.r.Context(), c.req.Start.Add(within))
	defer cancel()
	c.ctx = ctx
	if within > requestTime {
		conn := http.NewResponseController(c.w) // a recorder of a test's has no deadlines
		_ = conn.SetReadDeadline(c.req.Start.Add(within))
		_ = conn.SetWriteDeadline(c.req.Start.Add(within + answerTime))
	}
	return c.route.serve(c)
}

// guarded turns a panic into an error. Its text goes to the log with the stack, never into the
// answer.
func (c *call) guarded(do func(c *call) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.h.log.Error("a request panicked", "request_id", c.req.ID, "panic", p, "stack",
				string(debug.Stack()))
			err = &wire.Failure{Status: http.StatusInternalServerError, Code: "InternalServerError",
				Message: "internal error"}
		}
	}()
	return do(c)
}

// fail makes the answer a refusal.
func (c *call) fail(err error) {
	f := wire.FailureOf(err)
	if f.Status >= http.StatusInternalServerError && f.Status != http.StatusServiceUnavailable &&
		f.Status != http.StatusNotImplemented && f.Inner != wire.UnrecordedCode && c.mayLog() {
		c.h.log.Error("a request failed", "request_id", c.req.ID, "path", c.r.URL.Path, "error", err)
	}
	c.status = f.Status
	f.Headers(c.w.Header())
	c.shared, c.stream = nil, nil
	*c.out = c.format(c, f, (*c.out)[:0])
}

// mayLog bounds what strangers can make us write.
func (c *call) mayLog() bool {
	return c.authorized || c.proved || c.caller.Identity != (vault.Identity{}) || c.h.strangers.Allow()
}

// write sends status and body at once. What goes wrong now is the connection's trouble.
func (c *call) write() {
	h := c.w.Header()
	if c.status == http.StatusNoContent {
		delete(h, "Content-Type")
		c.w.WriteHeader(c.status)
		return
	}
	if c.stream != nil {
		c.writeStream()
		return
	}
	body := *c.out
	if c.shared != nil {
		body = c.shared
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if c.route != nil && c.route.shares {
		c.writeAndForget()
		return
	}
	c.w.WriteHeader(c.status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body)
	}
}

// fenced says whether the caller asks for fences. It is obeyed once it is known who that is: a
// fence asks others.
func (c *call) fenced() bool { return c.r.Header.Get("X-Keyquorum-Consistency") == "fenced" }

func (c *call) readBody() (err error) {
	c.body = wire.TakeBuffer()
	*c.body, err = readBody(c.w, c.r, c.route.body, *c.body, c.enlarge)
	return err
}

// enlarge takes one of the places for bodies of so many bytes and more, until the call is released.
// Only routes of the application plane have any so large. They go to whoever may do what the body
// is for, and of the few huge ones an application has one at a time: otherwise any token could keep
// all others from theirs with bodies that never end.
func (c *call) enlarge(bytes int) error {
	if c.room == nil {
		if err := c.vaults.Admits(c.ctx, c.caller, c.route.operation, c.params[0]); err != nil {
			return err
		}
	}
	places := c.h.large
	if bytes > maxBody {
		places = c.h.huge
	}
	if c.room == places {
		return nil
	}
	if places == c.h.huge {
		if _, another := c.h.hugeOf.LoadOrStore(c.caller.Identity.OID, c); another {
			return tooManyLarge()
		}
	}
	select {
	case places <- struct{}{}:
	default:
		c.h.hugeOf.CompareAndDelete(c.caller.Identity.OID, c)
		return tooManyLarge()
	}
	c.leaveRoom()
	c.room = places
	return nil
}

func (c *call) leaveRoom() {
	if c.room == nil {
		return
	}
	if c.room == c.h.huge {
		c.h.hugeOf.CompareAndDelete(c.caller.Identity.OID, c)
	}
	<-c.room
	c.room = nil
}

func (c *call) release() {
	c.h.meters.count(c)
	c.h.meters.inFlight.Add(-1)
	c.leaveRoom()
	wire.GiveBuffer(c.out)
	if c.body != nil {
		wire.GiveBuffer(c.body)
	}
}

// Values of headers that never change are shared between answers; net/http only reads them.
var (
	jsonType        = []string{"application/json; charset=utf-8"}
	noStore         = []string{"no-cache, no-store"}
	noCache         = []string{"no-cache"}
	expired         = []string{"-1"}
	nosniff         = []string{"nosniff"}
	transportStrict = []string{"max-age=31536000; includeSubDomains"}
)

// commonHeaders are those of every answer on every plane.
func (c *call) commonHeaders() http.Header {
	h := c.w.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	h["Strict-Transport-Security"] = transportStrict
	h["X-Content-Type-Options"] = nosniff
	return h
}
