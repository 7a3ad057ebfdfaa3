package mover

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"keyquorum/cmd/keyquorum/console"
)

const (
	vaultTimeout   = 30 * time.Second // of one request, from its beginning to the end of its answer
	maxVaultAnswer = 16 << 20         // bytes; a list of very many names
	vaultAttempts  = 6                // of a request that meets throttling or a server that is away
	firstDelay     = 500 * time.Millisecond
	maxDelay       = time.Minute // that a server may ask for; one that asks for more is not waited for
	maxMessage     = 300         // bytes of what the server says that are shown
)

// A vaultClient reads from a server of Vault's or OpenBao's HTTP API. It only ever sends GET.
type vaultClient struct {
	base      string // https://host:port
	token     string
	namespace string
	http      *http.Client
	answered  atomic.Bool // it has been there, so it may come back
}

// vaultEnvironment looks a setting up under OpenBao's prefix, then Vault's, as bao does. With FROM_
// in front it is for the source alone: a Keyquorum's operator may have the others for his cluster.
func vaultEnvironment(name string) string {
	return cmp.Or(os.Getenv(fromPrefix+"BAO_"+name), os.Getenv(fromPrefix+"VAULT_"+name),
		os.Getenv("BAO_"+name), os.Getenv("VAULT_"+name))
}

// sourceToken is the source's token. The operators' token of a Keyquorum, which its environment has
// under all names, is for nobody else to see.
func sourceToken() (string, error) {
	token := strings.TrimSpace(vaultEnvironment("TOKEN"))
	switch token {
	case "":
		return "", errors.New("who calls the source? Set VAULT_TOKEN or BAO_TOKEN: " +
			"no flag takes a token, since command lines are seen by all users of a machine")
	case os.Getenv("KEYQUORUM_TOKEN"):
		return "", errors.New("BAO_TOKEN or VAULT_TOKEN is the operators' token of your Keyquorum: " +
			"set FROM_VAULT_TOKEN to the source's")
	}
	return token, nil
}

func newVaultClient(address, caCert string) (*vaultClient, error) {
	base, err := vaultAddress(cmp.Or(address, vaultEnvironment("ADDR")))
	if err != nil {
		return nil, err
	}
	token, err := sourceToken()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := cmp.Or(caCert, vaultEnvironment("CACERT")); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("CA file: %w; say with --from-ca-cert (VAULT_CACERT) where it is", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("the CA file %s holds no PEM certificate", file)
		}
	}
	return &vaultClient{base: base, token: token, namespace: vaultEnvironment("NAMESPACE"),
		http: &http.Client{
			Timeout: vaultTimeout,
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
				TLSClientConfig:     config,
				TLSHandshakeTimeout: 10 * time.Second,
				ForceAttemptHTTP2:   true,
				MaxIdleConnsPerHost: maxParallel,
			},
			// A token is for the server that was named, and for no other.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}, nil
}

// vaultAddress is https, or http on this machine alone: values and the token cross the wire.
func vaultAddress(text string) (string, error) {
	if text == "" {
		return "", errors.New("from where? Say --address with the server's URL, or set VAULT_ADDR or " +
			"BAO_ADDR")
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		strings.Trim(u.Path, "/") != "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("--address %q: it is https://host[:port]", shown(text))
	}
	ip, _ := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && !ip.IsLoopback() && u.Hostname() != "localhost" {
		return "", fmt.Errorf("--address %s: secrets would cross the network in the clear: "+
			"it is https://…", text)
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// A vaultRefusal is an answer that is no success. A missing value of KV v2 has data with its 404.
type vaultRefusal struct {
	status   int
	messages []string
}

func (e *vaultRefusal) Error() string {
	text := strings.Join(strings.Fields(shown(strings.Join(e.messages, "; "))), " ")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	if text == "" {
		text = "it answered " + http.StatusText(e.status)
	}
	return fmt.Sprintf("%s (%d)", text, e.status)
}

// status is that of an answer that refuses; 0 where there was none.
func status(err error) int {
	var refusal *vaultRefusal
	if errors.As(err, &refusal) {
		return refusal.status
	}
	return 0
}

// get reads a path below /v1/, whose parts are names as the server has them, and decodes the data
// of the answer.
func (c *vaultClient) get(ctx context.Context, data any, query string, parts ...string) error {
	address := c.base + "/v1/" + vaultPath(parts...)
	if query != "" {
		address += "?" + query
	}
	delay := firstDelay
	for attempt := 1; ; attempt++ {
		again, wait, err := c.once(ctx, address, data)
		if err == nil || !again || attempt == vaultAttempts || ctx.Err() != nil {
			return c.explain(ctx, err)
		}
		if wait == 0 {
			wait, delay = delay, 2*delay
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// list are the names below a path; those of folders end in a slash. There may be none.
func (c *vaultClient) list(ctx context.Context, parts ...string) ([]string, error) {
	var data struct {
		Keys []string `json:"keys"`
	}
	err := c.get(ctx, &data, "list=true", append(parts, "")...)
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	for _, key := range data.Keys {
		name := strings.TrimSuffix(key, "/")
		if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
			return nil, fatalError{fmt.Errorf("the source, %s: it listed %q, which is no name", c.base,
				shown(key))}
		}
	}
	return data.Keys, err
}

// vaultPath joins names to a path, each as it stands in a URL.
func vaultPath(parts ...string) string {
	var segments []string
	for _, part := range parts {
		for _, name := range strings.Split(part, "/") {
			segments = append(segments, url.PathEscape(name))
		}
	}
	return strings.Join(segments, "/")
}

// once sends the request. again says whether it may be tried once more, after wait; 0: by and by.
func (c *vaultClient) once(
	ctx context.Context, address string, data any,
) (again bool, wait time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false, 0, err
	}
	r.Header.Set("X-Vault-Token", c.token)
	r.Header.Set("X-Vault-Request", "true")
	if c.namespace != "" {
		r.Header.Set("X-Vault-Namespace", c.namespace)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return c.answered.Load(), 0, err
	}
	c.answered.Store(true)
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxVaultAnswer+1))
	defer clear(body)
	switch {
	case err != nil:
		return true, 0, err
	case len(body) > maxVaultAnswer:
		return false, 0, fmt.Errorf("its answer has more than %d bytes", maxVaultAnswer)
	case answer.StatusCode == http.StatusOK:
		return false, 0, decodeData(body, data)
	}
	refusal := &vaultRefusal{status: answer.StatusCode}
	var said struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(body, &said) == nil {
		refusal.messages = said.Errors
	}
	again, wait = mayPass(refusal, answer.Header.Get("Retry-After"))
	return again, wait, refusal
}

// decodeData reads the data of an answer. No error shows anything of it.
func decodeData(body []byte, data any) error {
	whole := struct {
		Data any `json:"data"`
	}{data}
	if !utf8.Valid(body) || json.Unmarshal(body, &whole) != nil {
		return errors.New("its answer is not one of Vault's API")
	}
	return nil
}

// mayPass says whether a refusal is one that passes: throttling, or a server that has no leader for
// a moment. One that is sealed waits for people.
func mayPass(r *vaultRefusal, retryAfter string) (again bool, wait time.Duration) {
	switch r.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout,
		http.StatusPreconditionFailed:
	case http.StatusServiceUnavailable:
		if r.isSealed() {
			return false, 0
		}
	default:
		return false, 0
	}
	if seconds, err := strconv.Atoi(retryAfter); err == nil && seconds > 0 {
		wait = time.Duration(seconds) * time.Second
	}
	return wait <= maxDelay, wait
}

func (e *vaultRefusal) isSealed() bool {
	return strings.Contains(strings.ToLower(strings.Join(e.messages, " ")), "sealed")
}

// explain says what went wrong, and what to look at. A refusal of one path is about that path; all
// else would meet every other path too.
func (c *vaultClient) explain(ctx context.Context, err error) error {
	var refusal *vaultRefusal
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.As(err, &refusal):
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err // without the address and its query, which we say ourselves
		}
		return fatalError{console.Exit(2, fmt.Errorf("the source, %s: %w; look at --address "+
			"(VAULT_ADDR) and --from-ca-cert (VAULT_CACERT), and whether a server runs there", c.base, err))}
	}
	said := console.Exit(2, fmt.Errorf("the source, %s: %w", c.base, err))
	switch s := refusal.status; {
	case s == http.StatusNotFound, s == http.StatusForbidden, s == http.StatusBadRequest:
		return said
	case s >= 300 && s < 400:
		return fatalError{fmt.Errorf("%w: it sends us to another server; give the address of the one "+
			"that is active", said)}
	case s == http.StatusServiceUnavailable && refusal.isSealed():
		return fatalError{fmt.Errorf("%w; unseal it there, and try again", said)}
	}
	return fatalError{said}
}
