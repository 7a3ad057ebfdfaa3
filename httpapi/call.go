package httpapi

import (
	"context"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"keyquorum/httpapi/forwarded"
	"keyquorum/httpapi/wire"
	"keyquorum/internal/uuid"
	"keyquorum/vault"
)

// A call is one HTTP request on its way through a plane.
type call struct {
	desk   *desk
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
	plane  planeCall
	left   func() // called before the call gives its room up; nil: nothing is to be done

	nowhere error // why it can't be said where the call comes from
}

// A planeCall is what a plane makes of a call.
type planeCall interface {
	// Known says that the caller has shown who it is, or that it may be here.
	Known() bool
	// AppendFailure writes a refusal in the plane's format.
	AppendFailure(f *wire.Failure, dst []byte) []byte
	// MakeRoom makes room for a body of so many bytes and more, beyond smallBody.
	MakeRoom(bytes int) error

	self() *call // who embeds a call has it
}

func (c *call) self() *call { return c }

// A desk is what all calls of a node have in common.
type desk struct {
	log       hclog.Logger
	meters    *meters
	trust     atomic.Pointer[forwarded.Trust] // whose word on a caller's address counts; nil: nobody's
	strangers *rate.Limiter                   // bounds usage records and log lines of people without a token
}

// newDesk returns one that logs there and counts there.
func newDesk(log hclog.Logger, m *meters) *desk {
	return &desk{log: log, meters: m, strangers: rate.NewLimiter(10, 100)}
}

// begin makes a call of a request that has just come. plane is what embeds it.
func (c *call) begin(d *desk, w http.ResponseWriter, r *http.Request, plane planeCall) {
	*c = call{
		desk: d, w: w, r: r, ctx: r.Context(), out: wire.TakeBuffer(), status: http.StatusOK,
		plane: plane,
		req: vault.Request{
			ID:            uuid.New(),
			ClientRequest: wire.Printable(r.Header.Get("X-Ms-Client-Request-Id")),
			Start:         time.Now(),
		},
	}
	c.locate()
}

// locate finds out where the call comes from. From here on the request's RemoteAddr, too, is the
// caller's address: nothing else in this package asks a connection for one.
func (c *call) locate() {
	peer := c.r.RemoteAddr
	if other, ok := peerOf(c.r); ok {
		peer = other
	}
	var client string
	client, c.nowhere = c.desk.trust.Load().Client(c.r.RemoteAddr, c.r.Header["X-Forwarded-For"])
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
func (c *call) run(do func() error) {
	c.desk.meters.inFlight.Add(1)
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
func (c *call) guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.desk.log.Error("a request panicked", "request_id", c.req.ID, "panic", p, "stack",
				string(debug.Stack()))
			err = &wire.Failure{Status: http.StatusInternalServerError, Code: "InternalServerError",
				Message: "internal error"}
		}
	}()
	return do()
}

// mayLog bounds what strangers can make us write.
func (c *call) mayLog() bool {
	return c.plane.Known() || c.desk.strangers.Allow()
}

// fenced says whether the caller asks for fences. It is obeyed once it is known who that is: a
// fence asks others.
func (c *call) fenced() bool { return c.r.Header.Get("X-Keyquorum-Consistency") == "fenced" }

func (c *call) readBody() (err error) {
	c.body = wire.TakeBuffer()
	*c.body, err = readBody(c.w, c.r, c.route.body, *c.body, c.plane.MakeRoom)
	return err
}

// occupy notes that the call has got one of these places, instead of the one that it had, until it
// is over.
func (c *call) occupy(places chan struct{}) {
	c.leaveRoom()
	c.room = places
}

func (c *call) leaveRoom() {
	if c.room == nil {
		return
	}
	if c.left != nil {
		c.left()
		c.left = nil
	}
	<-c.room
	c.room = nil
}

func (c *call) release() {
	meter := c.desk.meters.unknown
	if c.route != nil {
		meter = c.route.meter
	}
	meter.count(c.status, c.req.Start)
	c.desk.meters.inFlight.Add(-1)
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

// shown gives the call's connection the standing of what the caller has shown.
func (c *call) shown(standing int) {
	rise(c.r, standing)
}
