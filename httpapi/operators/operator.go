// Package operators is the operator plane: /v1/sys, as operators' clients of Vault and OpenBao call
// it, and the administration API under /v1/keyquorum. It asks node and the domain, and writes what
// they answer into the envelope that these clients read.
package operators

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"keyquorum/httpapi/connections"
	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/figures"
	"keyquorum/httpapi/joining"
	"keyquorum/httpapi/throttle"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
	"keyquorum/vault"
)

// A Plane serves the operator plane, the administration API included.
type Plane struct {
	*exchange.Desk
	n           *node.Node
	version     string
	dial        joining.Dialer
	askers      *rate.Limiter // bounds what people without a token can make us ask of other nodes
	saving      chan struct{} // holds one for each snapshot on its way to an operator
	restoring   chan struct{} // and for the one that an operator sends
	joins       *joining.Joins
	metrics     *figures.Metrics
	wrongShares *throttle.Buckets
	profiling   sync.Mutex   // held while somebody is told of all goroutines
	logLevel    atomic.Int32 // the hclog.Level to come back to
}

// New returns the plane of a node. dial reaches the member that is asked to let the node join.
func New(n *node.Node, d *exchange.Desk, dial joining.Dialer, j *joining.Joins,
	m *figures.Metrics) *Plane {
	p := &Plane{
		Desk: d, n: n, version: n.SealStatus().Version, dial: dial, joins: j, metrics: m,
		askers:      rate.NewLimiter(10, 20),
		saving:      make(chan struct{}, maxSaving),
		restoring:   make(chan struct{}, 1),
		wrongShares: throttle.New(wrongShares),
	}
	p.logLevel.Store(int32(d.Log.GetLevel()))
	return p
}

// A call is one of the operator plane.
type call struct {
	exchange.Call
	plane      *Plane
	operator   vault.Operator
	authorized bool   // operator is one
	proved     bool   // no token, but the unseal shares
	detail     string // what was made so, for the usage record
}

func (p *Plane) newCall(w http.ResponseWriter, r *http.Request) *call {
	c := &call{plane: p}
	c.Begin(p.Desk, w, r, c)
	return c
}

// Known says that an operator has shown a token, or somebody good shares.
func (c *call) Known() bool { return c.authorized || c.proved }

// AppendFailure writes in the format of Vault.
func (c *call) AppendFailure(f *wire.Failure, dst []byte) []byte { return f.AppendSys(dst) }

// MakeRoom has nothing to do: no body of this plane is large, but those that are read piece by
// piece.
func (c *call) MakeRoom(int) error { return nil }

// handler serves routes of the plane.
func (p *Plane) handler(routes []exchange.Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := p.newCall(w, r)
		c.CommonHeaders()
		c.Run(func() error { return c.recordRefused(c.operate(routes)) })
	})
}

// operate does what comes before an operation. Whatever is not on the allow-list (route.open) needs
// a token, paths that do not exist too.
func (c *call) operate(routes []exchange.Route) error {
	if err := c.HeadLimits(); err != nil {
		return err
	}
	var segments [exchange.MaxSegments]string
	path := c.operatorPath(&segments)
	method, badQuery := c.method()
	rt, allow, open := exchange.Find(routes, method, path, exactly, &c.Params)
	c.Route = rt
	var err error
	if c.Vaults, err = c.plane.n.Vaults(); err != nil {
		c.Vaults = nil
		if rt != nil && rt.Idle {
			c.Status = http.StatusNoContent
			return nil
		}
	}
	if !open {
		if err := c.authorize(err); err != nil {
			return err
		}
	}
	if badQuery != nil {
		return badQuery
	}
	if rt == nil {
		return c.absent(path, allow)
	}
	if rt.Probe {
		c.Shown(connections.Prober)
	}
	if err := c.conditions(); err != nil {
		return err
	}
	return c.Perform()
}

// operatorPath is what follows /v1/; nothing where that is missing.
func (c *call) operatorPath(segments *[exchange.MaxSegments]string) []string {
	path := exchange.SplitPath(c.R.URL.EscapedPath(), false, segments)
	if len(path) == 0 || path[0] != "v1" {
		return nil
	}
	return path[1:]
}

func exactly(got, literal string) bool { return got == literal }

// absent says that there is no such call. For what is Vault's that is 501: its clients take a 404
// for "there is no such thing", print nothing and end well, whatever text comes with it.
func (c *call) absent(path, allow []string) error {
	called := strings.Join(path, "/")
	do := instead(called)
	switch {
	case allow != nil:
		return wire.MethodNotAllowed(allow)
	case len(path) == 0 || path[0] == "keyquorum" || slices.ContainsFunc(path, odd):
		return wire.Refuse(http.StatusNotFound, "NotFound", "No such path. "+whereAllAre)
	case do == "":
		do = "Keyquorum has some of Vault's calls, and not this one."
	}
	called = called[:min(len(called), wire.MaxLogged)]
	return wire.Refuse(http.StatusNotImplemented, "NotImplemented",
		c.R.Method+" /v1/"+called+" is not served: "+do+" "+whereAllAre)
}

const whereAllAre = "GET /openapi.json lists all there are."

// odd says whether a segment is none that a client of Vault's makes.
func odd(segment string) bool {
	return segment == "" || segment == "." || segment == ".." || strings.Contains(segment, "/")
}

// method is what the request means: a list may be asked for with GET.
func (c *call) method() (string, error) {
	if c.R.Method != http.MethodGet {
		return c.R.Method, nil
	}
	list, err := wire.QueryBool(c.R.URL.RawQuery, "list")
	if list {
		return "LIST", nil
	}
	return c.R.Method, err
}

// authorize verifies the operator's token on this node; notReady is why it can't, or nil.
func (c *call) authorize(notReady error) error {
	if notReady != nil {
		return c.notServing(notReady)
	}
	token := c.token()
	defer clear(token)
	if err := c.identify(token); err != nil {
		return err
	}
	c.Shown(connections.Operator)
	if !c.Fenced() {
		return nil
	}
	c.Req.Fenced = true
	return c.identify(token) // the token may have been revoked
}

// identify finds whose token it is. Having none is recorded as a refusal too.
func (c *call) identify(token []byte) error {
	o, err := c.operatorOf(token)
	if err == nil {
		c.operator, c.authorized = o, true
		return nil
	}
	c.operator, c.authorized = vault.Operator{}, false
	if f := wire.FailureOf(err); f.Status != http.StatusUnauthorized &&
		f.Status != http.StatusForbidden {
		return err
	}
	return &wire.Failure{Status: http.StatusForbidden, Message: denied(token)}
}

// operatorOf asks nobody where the operation is this node's alone. Where that tells what this node
// holds, it asks, and does without an answer unless the caller has demanded one.
func (c *call) operatorOf(token []byte) (vault.Operator, error) {
	if c.Route != nil && c.Route.Alone {
		return c.Vaults.AuthenticateOperatorHere(c.Req, token)
	}
	o, err := c.Vaults.AuthenticateOperator(c.Ctx, c.Req, token)
	if err != nil && c.Route != nil && c.Route.Held && !c.Fenced() &&
		wire.FailureOf(err).Status == http.StatusServiceUnavailable {
		return c.Vaults.AuthenticateOperatorHere(c.Req, token)
	}
	return o, err
}

// denied has the words that clients look for.
func denied(token []byte) string {
	if len(token) == 0 {
		return "permission denied: missing client token"
	}
	return "permission denied: invalid token"
}

// notServing: sealed is the one reason with words that clients look for.
func (c *call) notServing(err error) error {
	switch h := c.plane.n.Health(); {
	case !h.Initialized && c.plane.n.SealStatus().Joining:
		return wire.Unavailable(joiningNow)
	case !h.Initialized:
		return wire.Unavailable(uninitialized)
	case h.Sealed:
		return wire.Unavailable("Vault is sealed")
	}
	return wire.Unavailable(err.Error())
}

// token reads the header that Vault's clients send, or the usual one.
func (c *call) token() []byte {
	for _, v := range c.R.Header["X-Vault-Token"] {
		if v != "" {
			return []byte(v)
		}
	}
	scheme, token, _ := strings.Cut(c.R.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return []byte(strings.TrimSpace(token))
	}
	return nil
}

// conditions refuses what a request asks of us by header that we don't do, and waits for the index
// it names.
func (c *call) conditions() error {
	ns := strings.Trim(c.R.Header.Get("X-Vault-Namespace"), "/")
	if ns != "" && ns != "root" {
		if strings.HasPrefix(c.Route.Shape, "sys/") {
			return wire.Refuse(http.StatusBadRequest, "", "operation unavailable in namespaces")
		}
		return wire.Refuse(http.StatusNotFound, "", "no such namespace")
	}
	if ttl := c.R.Header.Get("X-Vault-Wrap-TTL"); ttl != "" && ttl != "0" {
		return wire.Refuse(http.StatusBadRequest, "", "response wrapping is not supported")
	}
	if !c.authorized {
		return nil // X-Vault-Index holds a connection for seconds: not of somebody unknown
	}
	return c.awaitIndex(c.R.Header.Get("X-Vault-Index"))
}

// recordRefused writes the usage record of a refusal that came before an operation.
func (c *call) recordRefused(err error) error {
	if err == nil || c.Vaults == nil && (c.Route == nil || !c.Route.Open) {
		return err // without keys there is no telling who asked, and nothing but open routes is served
	}
	f := wire.FailureOf(err)
	if !f.Early {
		return err
	}
	if c.record("", f.Domain()) != nil {
		return wire.Unrecorded("")
	}
	return err
}

// record writes the usage record of an operation that node has carried out, before it is
// answered, on a node without keys too. What a stranger asks is recorded at a bounded rate,
// unless it came with shares that opened something.
func (c *call) record(object string, err error) error {
	operation := c.operationName()
	if !c.MayLog() {
		return nil
	}
	if c.Vaults == nil {
		return c.plane.n.Record(vault.Unkeyed{
			Request: c.Req, Operation: operation, Object: object, Detail: c.detail, Err: err,
		})
	}
	o := c.operator
	if !c.authorized {
		o = vault.Operator{Request: c.Req}
	}
	return c.Vaults.RecordOperation(o, operation, object, c.detail, err)
}

// operationName is what the usage log calls the operation.
func (c *call) operationName() string {
	if c.Route == nil {
		return "unknown"
	}
	return c.Route.Operation
}

// recorded makes an endpoint of an act of node. object says what it was done to.
func recorded[Req, Resp any](act func(c *call, req *Req) (Resp, error),
	object func(req *Req) string,
	write func(c *call, resp *Resp) error) exchange.Endpoint {
	return exchange.Serve(func(c *call, req *Req) (Resp, error) {
		resp, err := act(c, req)
		err = recordedHere(err)
		if rerr := c.record(object(req), domainError(err)); rerr != nil {
			return resp, wire.Unrecorded(c.mayHaveHappened())
		}
		return resp, err
	}, write)
}

// recordedHere is an act's refusal, so that nobody records it again.
func recordedHere(err error) error {
	if err == nil {
		return nil
	}
	f := *wire.FailureOf(err)
	f.Early = false
	return &f
}

// mayHaveHappened is to be said of an operation that is carried out and can't be recorded.
func (c *call) mayHaveHappened() string {
	if c.R.Method == http.MethodGet {
		return ""
	}
	return " The operation may have happened."
}

// domainError is what a usage record says of a failure.
func domainError(err error) error {
	if err == nil {
		return nil
	}
	return wire.FailureOf(err).Domain()
}

// nothing is the object of an operation on the node itself.
func nothing[Req any](*Req) string { return "" }

// writeData answers with the envelope around data, a struct.
func writeData[Resp any](c *call, data *Resp) error {
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	*c.Out = appendEnvelope(*c.Out, c.Req.ID, b)
	return nil
}

// appendEnvelope writes data, an encoded object, the two ways that generations of clients look for
// it: under "data", and each of its members at top level. No data of ours has a member called as
// one of the envelope's.
func appendEnvelope(dst []byte, requestID string, data []byte) []byte {
	dst = wire.AppendString(append(dst, `{"request_id":`...), requestID)
	dst = append(dst, `,"lease_id":"","renewable":false,"lease_duration":0,"data":`...)
	dst = append(dst, data...)
	dst = append(dst, `,"wrap_info":null,"warnings":null,"auth":null`...)
	members := bytes.TrimSuffix(bytes.TrimPrefix(data, []byte("{")), []byte("}"))
	if len(members) > 0 {
		dst = append(append(dst, ','), members...)
	}
	return append(dst, '}')
}

// awaitIndex waits until this node has applied the index that a request names in X-Vault-Index, in
// decimal. It waits for less than clients do before they try again, which they do on 412 by
// themselves.
func (c *call) awaitIndex(header string) error {
	if header == "" {
		return nil
	}
	index, err := strconv.ParseUint(header, 10, 64)
	if err != nil {
		return wire.Refuse(http.StatusBadRequest, "", "X-Vault-Index is not an index of this cluster")
	}
	ctx, cancel := context.WithTimeout(c.Ctx, indexWait)
	defer cancel()
	if err := c.plane.n.Wait(ctx, index); err != nil {
		return wire.Refuse(http.StatusPreconditionFailed, "", "required index state not present")
	}
	return nil
}

const indexWait = 5 * time.Second
