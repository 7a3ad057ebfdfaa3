// Package azure is the application plane: vaults at their own hosts, with the keys and secrets of
// Azure Key Vault's wire, and the login host that gives tokens for them. It takes requests apart,
// calls the domain's verbs, and writes what they answer as Azure does. What may be done it leaves
// to the domain.
package azure

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"keyquorum/httpapi/connections"
	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/hosts"
	"keyquorum/httpapi/throttle"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
	"keyquorum/vault"
)

// Methods of the plane's routes.
var (
	get    = []string{http.MethodGet}
	put    = []string{http.MethodPut}
	post   = []string{http.MethodPost}
	patch  = []string{http.MethodPatch}
	remove = []string{http.MethodDelete}
)

// collections are the routes of the application plane by the first segment of their paths.
func collections() map[string][]exchange.Route {
	byFirst := make(map[string][]exchange.Route)
	for _, r := range applicationRoutes() {
		first, _, _ := strings.Cut(r.Shape, "/")
		byFirst[first] = append(byFirst[first], r)
	}
	return byFirst
}

func applicationRoutes() []exchange.Route { return append(secretRoutes(), keyRoutes()...) }

// A Plane serves the application plane, and the login host that gives its tokens.
type Plane struct {
	*exchange.Desk
	n        *node.Node
	zones    hosts.Zones
	version  []string                         // value of the header x-ms-keyvault-service-version
	region   []string                         // and of x-ms-keyvault-region
	large    chan struct{}                    // holds one for each large body in memory
	huge     chan struct{}                    // and for each that is over exchange.MaxBody
	hugeOf   sync.Map                         // object id of an application → its call that has one
	backups  chan struct{}                    // and for each backup
	throttle atomic.Pointer[throttle.Buckets] // nil: nobody is throttled
}

// New returns the plane of a node, for these zones. No application is throttled yet.
func New(n *node.Node, d *exchange.Desk, z hosts.Zones) *Plane {
	return &Plane{
		Desk: d, n: n, zones: z, version: []string{n.SealStatus().Version},
		region:  []string{cmp.Or(n.Region(), "keyquorum")},
		large:   make(chan struct{}, maxLarge),
		huge:    make(chan struct{}, maxHuge),
		backups: make(chan struct{}, maxBackups),
	}
}

// A call is one of the application plane, or of the login host.
type call struct {
	exchange.Call
	plane   *Plane
	format  format
	place   hosts.Place
	caller  vault.Caller
	version string // the api-version asked for
}

// A format is how a failure is written: it appends the body.
type format func(c *call, f *wire.Failure, dst []byte) []byte

func (p *Plane) newCall(w http.ResponseWriter, r *http.Request, f format) *call {
	c := &call{plane: p, format: f}
	c.Begin(p.Desk, w, r, c)
	return c
}

// Known says that an application has shown its token.
func (c *call) Known() bool { return c.caller.Identity != (vault.Identity{}) }

// AppendFailure writes in the format of Azure, or of OAuth.
func (c *call) AppendFailure(f *wire.Failure, dst []byte) []byte { return c.format(c, f, dst) }

// application serves the routes of one collection.
func (p *Plane) application(routes []exchange.Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := p.newCall(w, r, azureFormat)
		c.applicationHeaders()
		c.Run(func() error { return c.apply(routes) })
	})
}

// apply does what comes before a verb, in the order of decision 10; the verb does the rest.
func (c *call) apply(routes []exchange.Route) error {
	if err := c.HeadLimits(); err != nil {
		return err
	}
	var err error
	if c.Vaults, err = c.plane.n.Vaults(); err != nil {
		return wire.Unavailable("The vault service is sealed or not ready on this node.")
	}
	if err = c.admit(routes); err == nil {
		err = c.Perform()
	}
	return c.recordEarly(err)
}

// admit authenticates before it says anything of the request, its path included: clients send the
// first request without a token and without a body.
func (c *call) admit(routes []exchange.Route) error {
	_, c.place = c.plane.zones.Place(c.R.Host)
	if c.place.Zone == nil {
		return c.plane.misdirected()
	}
	if c.place.Vault == "" {
		return wire.Refuse(http.StatusNotFound, "VaultNotFound", "No vault has this host name.")
	}
	c.caller = vault.Caller{Request: c.Req, Vault: c.place.Vault}
	var segments [exchange.MaxSegments]string
	path := exchange.SplitPath(c.R.URL.EscapedPath(), true, &segments)
	rt, allow, _ := exchange.Find(routes, c.R.Method, path, wire.EqualFold, &c.Params)
	c.Route = rt
	if err := c.authenticate(); err != nil {
		return err
	}
	c.Shown(connections.Application)
	c.Req.Fenced = c.Fenced()
	c.caller.Request = c.Req
	if err := c.unthrottled(); err != nil {
		return err
	}
	switch {
	case rt != nil:
		return c.checkQuery()
	case unbuilt(c.R.Method, path):
		return notBuilt()
	case allow != nil:
		return wire.MethodNotAllowed(allow)
	default:
		return wire.NotFound()
	}
}

// authenticate reads the bearer token (RFC 6750 section 2.1).
func (c *call) authenticate() error {
	scheme, token, _ := strings.Cut(c.R.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "Bearer") {
		return wire.Refuse(http.StatusUnauthorized, "Unauthorized",
			"AKV10000: Request is missing a Bearer or PoP token.")
	}
	b := wire.TakeBuffer()
	defer wire.GiveBuffer(b)
	*b = append(*b, token...)
	id, err := c.Vaults.Authenticate(c.Ctx, *b, c.place.Zone.Suffix)
	if err != nil {
		f := *wire.FailureOf(err)
		f.Early = true
		return &f
	}
	c.caller.Identity = id
	return nil
}

func (c *call) checkQuery() error {
	if c.version = wire.Query(c.R.URL.RawQuery, "api-version"); !validVersion(c.version) {
		return wire.BadParameter("The api-version query parameter is missing or not supported: " +
			"it is 7.0 or a later 7.N, a date from 2025 on, each also as a preview, or one of " +
			strings.Join(oldVersions, " and ") + ".")
	}
	switch c.R.Header.Get("X-Keyquorum-Consistency") {
	case "", "fenced":
		return nil
	default:
		return wire.BadParameter("The only consistency that can be asked for is \"fenced\".")
	}
}

// oldVersions are those before 7.0. Clients that send them ask for what is as it was since.
var oldVersions = []string{"2015-06-01", "2016-10-01"}

// validVersion accepts 7.N and dates, each with "-preview" or "-preview.N": all changes between
// them only add.
func validVersion(v string) bool {
	if slices.Contains(oldVersions, v) {
		return true
	}
	base, preview, pre := strings.Cut(v, "-preview")
	if pre && preview != "" && (preview[0] != '.' || !wire.AllDigits(preview[1:])) || len(v) > 32 {
		return false
	}
	if minor, ok := strings.CutPrefix(base, "7."); ok {
		return wire.AllDigits(minor)
	}
	return len(base) == 10 && base[4] == '-' && base[7] == '-' &&
		wire.AllDigits(base[:4]) && wire.AllDigits(base[5:7]) && wire.AllDigits(base[8:]) &&
		base >= "2025"
}

// recordEarly writes the usage record of a refusal that no verb has recorded.
func (c *call) recordEarly(err error) error {
	if err == nil {
		return nil
	}
	f := wire.FailureOf(err)
	if !f.Early {
		return err
	}
	operation := "unknown"
	if c.Route != nil {
		operation = c.Route.Operation
	}
	var id *vault.Identity
	if c.caller.Identity != (vault.Identity{}) {
		id = &c.caller.Identity
	}
	if c.Vaults.RecordRefusal(c.Req, id, operation, c.place.Vault, f.Domain()) != nil {
		return wire.Unrecorded("")
	}
	return err
}

// applicationHeaders are those that Azure Key Vault sends.
func (c *call) applicationHeaders() {
	h := c.CommonHeaders()
	h["Pragma"] = exchange.NoCache
	h["Expires"] = exchange.Expired
	h["X-Ms-Request-Id"] = []string{c.Req.ID}
	h["X-Ms-Keyvault-Service-Version"] = c.plane.version
	h["X-Ms-Keyvault-Region"] = c.plane.region
	if c.Req.ClientRequest != "" {
		h["X-Ms-Client-Request-Id"] = []string{c.Req.ClientRequest}
	}
}

// azureFormat writes a failure; every 401 carries the challenge that tells a client where to get a
// token.
func azureFormat(c *call, f *wire.Failure, dst []byte) []byte {
	if f.Status == http.StatusUnauthorized {
		c.W.Header()["Www-Authenticate"] = []string{challenge(&c.place) + c.another(f)}
	}
	return f.AppendAzure(dst)
}
