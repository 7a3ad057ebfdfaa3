// Package exchange is one request on its way to its answer, on any plane: what it may take of time
// and memory, which route it has, and how it is answered, whatever happens. A plane embeds a Call
// in its own, decides in it, and leaves all else to this package.
package exchange

import (
	"context"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"keyquorum/httpapi/connections"
	"keyquorum/httpapi/figures"
	"keyquorum/httpapi/forwarded"
	"keyquorum/httpapi/wire"
	"keyquorum/internal/uuid"
	"keyquorum/vault"
)

// A Call is one HTTP request on its way through a plane.
type Call struct {
	desk   *Desk
	W      http.ResponseWriter
	R      *http.Request
	Ctx    context.Context
	Req    vault.Request
	Vaults *vault.Vaults // nil while this node can't serve
	Route  *Route        // nil while none was found
	Params Params
	Body   *[]byte       // pooled; nil until read, or used to open a value in
	Room   chan struct{} // the call has one of these places for what is large; nil while nothing is
	Out    *[]byte       // pooled; the answer's body
	Shared []byte        // the answer's body instead, where many answers have the same; never written to
	Stream streamer      // the answer's body instead, of any length
	Status int           // of the answer
	plane  planeCall
	Left   func() // called before the call gives its room up; nil: nothing is to be done

	Nowhere error // why it can't be said where the call comes from
}

// A planeCall is what a plane makes of a call.
type planeCall interface {
	// Known says that the caller has shown who it is, or that it may be here.
	Known() bool
	// AppendFailure writes a refusal in the plane's format.
	AppendFailure(f *wire.Failure, dst []byte) []byte
	// MakeRoom makes room for a body of so many bytes and more, beyond SmallBody.
	MakeRoom(bytes int) error

	self() *Call // who embeds a call has it
}

// self is the call of whoever embeds it.
func (c *Call) self() *Call { return c }

// A Desk is what all calls of a node have in common.
type Desk struct {
	Log       hclog.Logger
	Meters    *figures.Meters
	Trust     atomic.Pointer[forwarded.Trust] // whose word on a caller's address counts; nil: nobody's
	strangers *rate.Limiter                   // bounds records and log lines of people without a token
}

// NewDesk returns one that logs there and counts there.
func NewDesk(log hclog.Logger, m *figures.Meters) *Desk {
	return &Desk{Log: log, Meters: m, strangers: rate.NewLimiter(10, 100)}
}

// Begin makes a call of a request that has just come. plane is what embeds it.
func (c *Call) Begin(d *Desk, w http.ResponseWriter, r *http.Request, plane planeCall) {
	*c = Call{
		desk: d, W: w, R: r, Ctx: r.Context(), Out: wire.TakeBuffer(), Status: http.StatusOK,
		plane: plane,
		Req: vault.Request{
			ID:            uuid.New(),
			ClientRequest: wire.Printable(r.Header.Get("X-Ms-Client-Request-Id")),
			Start:         time.Now(),
		},
	}
	c.locate()
}

// locate finds out where the call comes from. From here on the request's RemoteAddr, too, is the
// caller's address: nothing else in this package asks a connection for one.
func (c *Call) locate() {
	peer := c.R.RemoteAddr
	if other, ok := connections.Peer(c.R); ok {
		peer = other
	}
	var client string
	client, c.Nowhere = c.desk.Trust.Load().Client(c.R.RemoteAddr, c.R.Header["X-Forwarded-For"])
	if c.Nowhere == nil {
		c.R.RemoteAddr = client
	}
	c.Req.Remote = c.R.RemoteAddr
	if peer != c.Req.Remote {
		c.Req.Via = peer
	}
}

// Run does the call and answers it in time, whatever happens in it. What comes before its route has
// RequestTime.
func (c *Call) Run(do func() error) {
	c.desk.Meters.InFlight.Add(1)
	defer c.release()
	ctx, cancel := context.WithTimeout(c.Ctx, RequestTime)
	defer cancel()
	c.Ctx = ctx
	if err := c.guarded(do); err != nil {
		c.fail(err)
	}
	c.write()
}

// Perform serves a route in its own time, if it has one.
func (c *Call) Perform() error {
	within := c.Route.Within
	if within == 0 {
		return c.Route.Serve(c)
	}
	ctx, cancel := context.WithDeadline(c.R.Context(), c.Req.Start.Add(within))
	defer cancel()
	c.Ctx = ctx
	if within > RequestTime {
		conn := http.NewResponseController(c.W) // a recorder of a test's has no deadlines
		_ = conn.SetReadDeadline(c.Req.Start.Add(within))
		_ = conn.SetWriteDeadline(c.Req.Start.Add(within + AnswerTime))
	}
	return c.Route.Serve(c)
}

// guarded turns a panic into an error. Its text goes to the log with the stack, never into the
// answer.
func (c *Call) guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.desk.Log.Error("a request panicked", "request_id", c.Req.ID, "panic", p, "stack",
				string(debug.Stack()))
			err = &wire.Failure{Status: http.StatusInternalServerError, Code: "InternalServerError",
				Message: "internal error"}
		}
	}()
	return do()
}

// MayLog bounds what strangers can make us write.
func (c *Call) MayLog() bool {
	return c.plane.Known() || c.desk.strangers.Allow()
}

// Fenced says whether the caller asks for fences. It is obeyed once it is known who that is: a
// fence asks others.
func (c *Call) Fenced() bool { return c.R.Header.Get("X-Keyquorum-Consistency") == "fenced" }

// ReadBody reads the body that the route takes into the call's buffer.
func (c *Call) ReadBody() (err error) {
	c.Body = wire.TakeBuffer()
	*c.Body, err = readBody(c.W, c.R, c.Route.Body, *c.Body, c.plane.MakeRoom)
	return err
}

// Occupy notes that the call has got one of these places, instead of the one that it had, until it
// is over.
func (c *Call) Occupy(places chan struct{}) {
	c.LeaveRoom()
	c.Room = places
}

// LeaveRoom gives the place back that the call has for what is large, if it has one.
func (c *Call) LeaveRoom() {
	if c.Room == nil {
		return
	}
	if c.Left != nil {
		c.Left()
		c.Left = nil
	}
	<-c.Room
	c.Room = nil
}

func (c *Call) release() {
	meter := c.desk.Meters.Unknown
	if c.Route != nil {
		meter = c.Route.Meter
	}
	meter.Count(c.Status, c.Req.Start)
	c.desk.Meters.InFlight.Add(-1)
	c.LeaveRoom()
	wire.GiveBuffer(c.Out)
	if c.Body != nil {
		wire.GiveBuffer(c.Body)
	}
}

// Values of headers that never change are shared between answers; net/http only reads them.
var (
	jsonType        = []string{"application/json; charset=utf-8"}
	noStore         = []string{"no-cache, no-store"}
	NoCache         = []string{"no-cache"}
	Expired         = []string{"-1"}
	nosniff         = []string{"nosniff"}
	transportStrict = []string{"max-age=31536000; includeSubDomains"}
)

// CommonHeaders are those of every answer on every plane.
func (c *Call) CommonHeaders() http.Header {
	h := c.W.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	h["Strict-Transport-Security"] = transportStrict
	h["X-Content-Type-Options"] = nosniff
	return h
}

// Shown gives the call's connection the standing of what the caller has shown.
func (c *Call) Shown(standing int) {
	connections.Rise(c.R, standing)
}
