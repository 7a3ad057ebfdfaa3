package azure

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"keyquorum/httpapi/connections"
	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/hosts"
	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

// tokenV1 takes the resource of Azure AD's v1 endpoint too, where no scope is given.
const tokenV1 = "{tenant}/oauth2/token"

// tokenRoutes are the login host's. Every tenant is the same: "adfs" is the one that clients are
// told of.
func tokenRoutes() []exchange.Route {
	issue := func(shape string) exchange.Route {
		return exchange.Route{Methods: post, Shape: shape, Operation: "token/issue",
			Body: exchange.OpenBody, Open: true,
			Serve: exchange.Directly(issueToken)}
	}
	open := func(shape, operation string, serve func(c *call) error) exchange.Route {
		return exchange.Route{Methods: get, Shape: shape, Operation: operation, Open: true,
			Serve: exchange.Directly(serve)}
	}
	return []exchange.Route{
		open("{tenant}/.well-known/openid-configuration", "token/configuration", openidConfiguration),
		open("{tenant}/v2.0/.well-known/openid-configuration", "token/configuration",
			openidConfiguration),
		open("{tenant}/discovery/keys", "token/keys", signingKeys),
		open("{tenant}/discovery/v2.0/keys", "token/keys", signingKeys),
		issue(tokenV1),
		issue("{tenant}/oauth2/v2.0/token"),
	}
}

// tokens serves the login host.
func (p *Plane) tokens(routes []exchange.Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := p.newCall(w, r, oauthFormat)
		c.CommonHeaders()["Pragma"] = exchange.NoCache
		c.Run(func() error { return c.login(routes) })
	})
}

func (c *call) login(routes []exchange.Route) error {
	if err := c.HeadLimits(); err != nil {
		return err
	}
	_, c.place = c.plane.zones.Place(c.R.Host)
	if c.place.Zone == nil {
		return c.plane.misdirected()
	}
	var segments [exchange.MaxSegments]string
	// Of an authority with a slash at its end come two slashes.
	path := exchange.SplitPath(c.R.URL.EscapedPath(), true, &segments)
	rt, allow, _ := exchange.Find(routes, c.R.Method, path, wire.EqualFold, &c.Params)
	if rt == nil {
		return missing(allow)
	}
	if !validTenant(c.Params[0]) || !hosts.ValidPort(c.place.Port) {
		return wire.NotFound()
	}
	c.Route = rt
	return c.Perform()
}

// validTenant: what a tenant can be called, since it is echoed in URLs.
func validTenant(s string) bool {
	for i := range len(s) {
		if !wire.Alphanumeric(s[i]) && s[i] != '-' && s[i] != '.' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// openidConfiguration answers what the Microsoft libraries ask before a token (OpenID Connect
// Discovery 1.0 section 4). It names the host and port that the client used: the libraries compare
// them with their authority.
func openidConfiguration(c *call) error {
	authority := "https://" + c.place.Authority + "/" + c.Params[0]
	dst := *c.Out
	for _, m := range [...][2]string{
		{`{"issuer":`, ""},
		{`,"authorization_endpoint":`, "/oauth2/authorize"},
		{`,"token_endpoint":`, "/oauth2/token"},
		{`,"jwks_uri":`, "/discovery/keys"},
	} {
		dst = wire.AppendString(append(dst, m[0]...), authority+m[1])
	}
	*c.Out = append(dst, `,"token_endpoint_auth_methods_supported":`+
		`["client_secret_post","client_secret_basic"]}`...)
	return nil
}

func signingKeys(c *call) error {
	v, err := c.plane.n.Vaults()
	if err != nil {
		return wire.Unavailable("sealed")
	}
	keys, err := v.JWKS()
	*c.Out = append(*c.Out, keys...)
	return err
}

// issueToken serves the client credentials grant (RFC 6749 section 4.4) with a client secret, in
// the form or by HTTP Basic.
func issueToken(c *call) error {
	var err error
	if c.Vaults, err = c.plane.n.Vaults(); err != nil {
		return wire.Unavailable("sealed")
	}
	token, life, err := c.issue()
	if err != nil {
		return c.recordEarly(err)
	}
	c.Shown(connections.Application)
	seconds := int64(life / time.Second)
	dst := wire.AppendInt(append(*c.Out, `{"token_type":"Bearer","expires_in":`...), seconds)
	dst = wire.AppendInt(append(dst, `,"ext_expires_in":`...), seconds)
	dst = wire.AppendString(append(dst, `,"access_token":`...), token)
	*c.Out = append(dst, '}')
	return nil
}

func (c *call) issue() (string, time.Duration, error) {
	if err := c.ReadBody(); err != nil {
		return "", 0, err
	}
	var q tokenRequest
	if err := eachField(*c.Body, q.field); err != nil {
		return "", 0, err
	}
	credentials := wire.TakeBuffer()
	defer wire.GiveBuffer(credentials)
	if err := q.basic(c.R.Header.Get("Authorization"), credentials); err != nil {
		return "", 0, err
	}
	if c.Route.Shape == tokenV1 && q.scope == "" && q.resource != "" {
		q.scope = q.resource + "/.default"
	}
	audience, err := c.audience(&q)
	if err != nil {
		return "", 0, err
	}
	return c.Vaults.IssueToken(c.Ctx, vault.TokenRequest{Request: c.Req, ClientID: q.clientID,
		Secret: q.secret, Audience: audience})
}

// tokenRequest is the form. The secret lies in the request's buffer.
type tokenRequest struct {
	grant, clientID, scope, resource string
	secret                           []byte
	assertion                        bool
	given                            []string // of the fields above
}

// field takes one field, known ones once (RFC 6749 section 3.2).
func (q *tokenRequest) field(name string, value []byte) error {
	if slices.Contains(q.given, name) {
		return oauthRefusal("invalid_request",
			"AADSTS90100: The request body contains "+name+" more than once.")
	}
	switch name {
	case "grant_type":
		q.grant = string(value)
	case "client_id":
		q.clientID = string(value)
	case "scope":
		q.scope = string(value)
	case "resource":
		q.resource = string(value)
	case "client_secret":
		q.secret = value
	case "client_assertion":
		q.assertion = true
	default:
		return nil
	}
	q.given = append(q.given, name)
	return nil
}

// basic takes client id and secret from an Authorization header of the scheme Basic (RFC 6749
// section 2.3.1), where there is one. They lie in room. Whoever gives them there does not give them
// in the form too, but for the id.
func (q *tokenRequest) basic(header string, room *[]byte) error {
	encoded, ok := basicCredentials(header)
	if !ok {
		return nil
	}
	if len(encoded) > maxBasic {
		return badBasic("The Authorization header is too long.")
	}
	*room = append(*room, encoded...)
	n, err := base64.StdEncoding.Decode(*room, *room)
	id, secret, both := bytes.Cut((*room)[:max(n, 0)], []byte(":"))
	id, ok = unescapeForm(id)
	secret, valid := unescapeForm(secret)
	switch {
	case err != nil || !both || !ok || !valid:
		return badBasic("The Authorization header does not hold a client id and a client secret.")
	case q.secret != nil || q.clientID != "" && q.clientID != string(id):
		return badBasic("The Authorization header and the request body both name a client.")
	}
	q.clientID, q.secret = string(id), secret
	return nil
}

// maxBasic is more than a client id and a secret take, and less than a buffer has room for: one
// that grows leaves what it held behind.
const maxBasic = 2 << 10

func badBasic(message string) *wire.Failure {
	return oauthRefusal("invalid_request", "AADSTS900144: "+message)
}

func basicCredentials(header string) (encoded string, ok bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	return strings.TrimSpace(encoded), strings.EqualFold(scheme, "Basic")
}

// audience checks what can be checked without the domain, and returns the resource that a token is
// asked for.
func (c *call) audience(q *tokenRequest) (string, error) {
	switch {
	case q.grant != "client_credentials":
		return "", oauthRefusal("unsupported_grant_type",
			"AADSTS70003: The app requested an unsupported grant type.")
	case q.assertion:
		return "", oauthRefusal("invalid_request",
			"AADSTS700027: Client assertions are not supported by this server; use a client secret.")
	case q.clientID == "" || len(q.secret) == 0:
		return "", oauthRefusal("invalid_request", "AADSTS900144: The request body must contain "+
			"client_id and client_secret, or the Authorization header both.")
	}
	for scope := range strings.FieldsSeq(q.scope) {
		resource, ok := strings.CutSuffix(scope, "/.default")
		if !ok {
			continue
		}
		if c.plane.isResource(resource) {
			return resource, nil
		}
		break
	}
	return "", oauthRefusal("invalid_scope",
		"AADSTS70011: The provided value for the input parameter 'scope' is not valid. "+
			"This server takes https://"+c.place.Zone.Suffix+"/.default.")
}

// isResource says whether a URL is a zone's and nothing more.
func (p *Plane) isResource(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" ||
		u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	for i := range p.zones {
		if wire.EqualFold(host, p.zones[i].Suffix) {
			return true
		}
	}
	return false
}

// eachField takes an application/x-www-form-urlencoded body apart in place, so that secrets are not
// copied into strings.
func eachField(body []byte, f func(name string, value []byte) error) error {
	for pair := range bytes.SplitSeq(body, []byte("&")) {
		name, value, _ := bytes.Cut(pair, []byte("="))
		name, ok := unescapeForm(name)
		value, valid := unescapeForm(value)
		if !ok || !valid {
			return oauthRefusal("invalid_request", "AADSTS900144: The request body is not a valid form.")
		}
		if err := f(string(name), value); err != nil {
			return err
		}
	}
	return nil
}

// unescapeForm decodes + and %XX in place.
func unescapeForm(b []byte) ([]byte, bool) {
	out := 0
	for i := 0; i < len(b); i, out = i+1, out+1 {
		switch b[i] {
		case '+':
			b[out] = ' '
		case '%':
			if i+2 >= len(b) {
				return nil, false
			}
			r, ok := wire.Hex4([]byte{'0', '0', b[i+1], b[i+2]})
			if !ok {
				return nil, false
			}
			b[out] = byte(r)
			i += 2
		default:
			b[out] = b[i]
		}
	}
	return b[:out], true
}

func oauthRefusal(code, message string) *wire.Failure {
	return wire.Refuse(http.StatusBadRequest, code, message)
}

// oauthFormat writes an error as RFC 6749 section 5.2 has it, with the members that the Microsoft
// libraries show.
func oauthFormat(c *call, f *wire.Failure, dst []byte) []byte {
	_, basic := basicCredentials(c.R.Header.Get("Authorization"))
	if basic && f.Status == http.StatusUnauthorized { // RFC 6749 section 5.2
		c.W.Header()["Www-Authenticate"] = []string{`Basic realm="` + c.place.Zone.Login + `"`}
	}
	dst = wire.AppendString(append(dst, `{"error":`...), oauthCode(f))
	dst = wire.AppendString(append(dst, `,"error_description":`...), f.Message)
	dst = append(append(append(dst, `,"error_codes":[`...), aadCode(f.Message)...), ']')
	dst = wire.AppendString(append(dst, `,"trace_id":`...), c.Req.ID)
	dst = wire.AppendString(append(dst, `,"correlation_id":`...), c.Req.ID)
	dst = wire.AppendString(append(dst, `,"timestamp":`...),
		c.Req.Start.UTC().Format("2006-01-02 15:04:05Z"))
	return append(dst, '}')
}

// oauthCode: codes of OAuth are lower case; everything else of ours has a capital.
func oauthCode(f *wire.Failure) string {
	switch {
	case f.Code != "" && f.Code == strings.ToLower(f.Code):
		return f.Code
	case f.Status == http.StatusServiceUnavailable || f.Status == http.StatusTooManyRequests:
		return "temporarily_unavailable"
	case f.Status >= http.StatusInternalServerError:
		return "server_error"
	default:
		return "invalid_request"
	}
}

// aadCode is the number in "AADSTS7000215: …", or "".
func aadCode(message string) string {
	digits, ok := strings.CutPrefix(message, "AADSTS")
	if !ok {
		return ""
	}
	digits, _, _ = strings.Cut(digits, ":")
	if _, err := strconv.ParseUint(digits, 10, 32); err != nil {
		return ""
	}
	return digits
}

func missing(allow []string) error {
	if allow == nil {
		return wire.NotFound()
	}
	return wire.MethodNotAllowed(allow)
}
