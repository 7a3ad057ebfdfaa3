package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

// collections are the routes of the application plane by the first segment of their paths.
func collections() map[string][]route {
	byFirst := make(map[string][]route)
	for _, r := range applicationRoutes() {
		first, _, _ := strings.Cut(r.shape, "/")
		byFirst[first] = append(byFirst[first], r)
	}
	return byFirst
}

func applicationRoutes() []route { return append(secretRoutes(), keyRoutes()...) }

// application serves the routes of one collection.
func (h *Handler) application(routes []route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := h.newCall(w, r, azureFormat)
		c.applicationHeaders()
		c.run(func(c *call) error { return c.apply(routes) })
	})
}

// apply does what comes before a verb, in the order of decision 10; the verb does the rest.
func (c *call) apply(routes []route) error {
	if err := c.headLimits(); err != nil {
		return err
	}
	var err error
	if c.vaults, err = c.h.n.Vaults(); err != nil {
		return wire.Unavailable("The vault service is sealed or not ready on this node.")
	}
	if err = c.admit(routes); err == nil {
		err = c.perform()
	}
	return c.recordEarly(err)
}

// admit authenticates before it says anything of the request, its path included: clients send the
// first request without a token and without a body.
func (c *call) admit(routes []route) error {
	_, c.place = c.h.placeOf(c.r.Host)
	if c.place.zone == nil {
		return c.h.misdirected()
	}
	if c.place.vault == "" {
		return wire.Refuse(http.StatusNotFound, "VaultNotFound", "No vault has this host name.")
	}
	c.caller = vault.Caller{Request: c.req, Vault: c.place.vault}
	var segments [maxSegments]string
	path := splitPath(c.r.URL.EscapedPath(), true, &segments)
	rt, allow, _ := find(routes, c.r.Method, path, wire.EqualFold, &c.params)
	c.route = rt
	if err := c.authenticate(); err != nil {
		return err
	}
	c.shown(application)
	c.req.Fenced = c.fenced()
	c.caller.Request = c.req
	if err := c.unthrottled(); err != nil {
		return err
	}
	switch {
	case rt != nil:
		return c.checkQuery()
	case unbuilt(c.r.Method, path):
		return notBuilt()
	case allow != nil:
		return wire.MethodNotAllowed(allow)
	default:
		return wire.NotFound()
	}
}

// authenticate reads the bearer token (RFC 6750 section 2.1).
func (c *call) authenticate() error {
	scheme, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "Bearer") {
		return wire.Refuse(http.StatusUnauthorized, "Unauthorized",
			"AKV10000: Request is missing a Bearer or PoP token.")
	}
	b := wire.TakeBuffer()
	defer wire.GiveBuffer(b)
	*b = append(*b, token...)
	id, err := c.vaults.Authenticate(c.ctx, *b, c.place.zone.Suffix)
	if err != nil {
		f := *wire.FailureOf(err)
		f.Early = true
		return &f
	}
	c.caller.Identity = id
	return nil
}

func (c *call) checkQuery() error {
	if c.version = wire.Query(c.r.URL.RawQuery, "api-version"); !validVersion(c.version) {
		return wire.BadParameter("The api-version query parameter is missing or not supported: " +
			"it is 7.0 or a later 7.N, a date from 2025 on, each also as a preview, or one of " +
			strings.Join(oldVersions, " and ") + ".")
	}
	switch c.r.Header.Get("X-Keyquorum-Consistency") {
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
	if c.route != nil {
		operation = c.route.operation
	}
	var id *vault.Identity
	if c.caller.Identity != (vault.Identity{}) {
		id = &c.caller.Identity
	}
	if c.vaults.RecordRefusal(c.req, id, operation, c.place.vault, f.Domain()) != nil {
		return wire.Unrecorded("")
	}
	return err
}

// applicationHeaders are those that Azure Key Vault sends.
func (c *call) applicationHeaders() {
	h := c.commonHeaders()
	h["Pragma"] = noCache
	h["Expires"] = expired
	h["X-Ms-Request-Id"] = []string{c.req.ID}
	h["X-Ms-Keyvault-Service-Version"] = c.h.version
	h["X-Ms-Keyvault-Region"] = c.h.region
	if c.req.ClientRequest != "" {
		h["X-Ms-Client-Request-Id"] = []string{c.req.ClientRequest}
	}
}

// azureFormat writes a failure; every 401 carries the challenge that tells a client where to get a
// token.
func azureFormat(c *call, f *wire.Failure, dst []byte) []byte {
	if f.Status == http.StatusUnauthorized {
		c.w.Header()["Www-Authenticate"] = []string{challenge(&c.place) + c.another(f)}
	}
	return f.AppendAzure(dst)
}
