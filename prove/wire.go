package prove

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"time"
)

// A call is a request before it is known which node is asked.
type call struct {
	method string
	url    string // without a host, it is a path of the node's operator plane
	body   string
	form   bool         // the body is one, JSON otherwise
	app    *application // whose token it carries; nil with a path: the operator's
	pages  bool         // it is a list, to be walked through
}

func operatorCall(method, path,
	body string) call {
	return call{method: method, url: path, body: body}
}

const apiVersion = "?api-version=7.5"

func (r *Run) applicationCall(app *application, method, path, body string) call {
	return call{method: method, url: r.target.VaultURL(r.options.Vault) + path + apiVersion,
		body: body, app: app}
}

// An answer is what became of a request.
type answer struct {
	sent   int // how many connections it was given to: the transport sends a read again when one breaks
	status int // 0: none came
	body   []byte
	err    error // why none came
	refusal
}

// A refusal is what the body of an answer says that is no success.
type refusal struct {
	inner   string // code, with the application plane
	message string
}

const maxAnswer = 1 << 20

// send sends a request to a node. Nothing is sent again, but by the transport.
func (r *Run) send(ctx context.Context, node int, c call, id int32) answer {
	ctx, cancel := context.WithTimeout(ctx, r.options.CallTimeout)
	defer cancel()
	a := answer{}
	ctx = httptrace.WithClientTrace(ctx,
		&httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { a.sent++ }})
	request, err := r.request(ctx, node, c, id)
	if err == nil {
		err = a.exchange(r.target.Nodes[node].HTTP, request)
	}
	if err != nil {
		a.status, a.err = 0, err
	}
	r.note(id, &a)
	return a
}

func (r *Run) request(ctx context.Context, node int, c call, id int32) (*http.Request, error) {
	url := c.url
	if strings.HasPrefix(url, "/") {
		url = r.target.Nodes[node].URL + url
	}
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	request, err := http.NewRequestWithContext(ctx, c.method, url, body)
	if err != nil {
		return nil, err
	}
	request.Header["X-Ms-Client-Request-Id"] = []string{fmt.Sprintf("%s-%d", r.name, id)}
	switch {
	case c.form:
		request.Header["Content-Type"] = []string{"application/x-www-form-urlencoded"}
	case c.app != nil:
		request.Header["Authorization"] = []string{"Bearer " + c.app.tokens[node].Load().bearer}
	default:
		request.Header["X-Vault-Token"] = []string{r.target.Token}
	}
	return request, nil
}

func (a *answer) exchange(client *http.Client, request *http.Request) error {
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if a.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer)); err != nil {
		return err
	}
	if a.status = response.StatusCode; a.status >= 300 {
		a.refusal = refusalOf(a.body)
	}
	return nil
}

// refusalOf reads the error bodies of both planes and of the token endpoint.
func refusalOf(body []byte) refusal {
	var b struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Inner   struct {
				Code string `json:"code"`
			} `json:"innererror"`
		} `json:"error"`
		Description string   `json:"error_description"`
		Errors      []string `json:"errors"`
	}
	_ = json.Unmarshal(body, &b) // what is not there stays empty: then nothing is known
	return refusal{inner: b.Error.Inner.Code,
		message: b.Error.Message + b.Description + strings.Join(b.Errors, "\n")}
}

// An outcome is what is known of a request.
type outcome uint8

const (
	known   outcome = iota + 1 // it was answered, be it with a refusal
	failed                     // it was surely not carried out
	unknown                    // it may have been, or may yet be
)

// outcome tells what can be known. Only what a node says to be sure is taken for sure: so that
// promise is tested too.
func (a *answer) outcome() outcome {
	switch {
	case a.sent == 0, a.surelyNot(), a.strangersToken():
		return failed
	case a.status == 0, a.status >= 500:
		return unknown
	default:
		return known
	}
}

// surelyNot says that an answer promises that nothing was done and nothing will be.
func (a *answer) surelyNot() bool {
	switch a.status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusConflict:
		return a.message == "Others kept changing the same records."
	case http.StatusServiceUnavailable:
		return slices.Contains(sureCodes, a.inner) || slices.Contains(sureMessages, a.message)
	}
	return false
}

var (
	sureCodes    = []string{"Busy", "Contended", "NoLeader", "Sealed", "Timeout"}
	sureMessages = []string{ // of the operator plane, and of whoever answers for a node that is sealed
		"No leader of the cluster could be reached.", "The request ran out of time.",
		"Too many requests are waiting.",
		"This node is sealed.", "Vault is sealed", "sealed",
		"The vault service is sealed or not ready on this node.",
	}
)

// strangersToken says that the token was refused, rather than the application: their clocks differ
// from this node's, say.
func (a *answer) strangersToken() bool {
	return a.status == http.StatusUnauthorized &&
		!strings.HasPrefix(a.message, "The application or the credential ") && !a.strangersSecret()
}

// strangersSecret says that no token was issued for a client secret.
func (a *answer) strangersSecret() bool {
	return a.status == http.StatusUnauthorized && strings.HasPrefix(a.message, "AADSTS7000")
}

// String is the answer where nothing else is known of it.
func (a *answer) String() string {
	if a.status == 0 {
		return briefly(a.err)
	}
	return fmt.Sprintf("%d %s", a.status, cmp.Or(a.inner, a.message))
}

// briefly is an error without its addresses, so that equal ones can be counted.
func briefly(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err.Error()
}

// insist asks all nodes in turn until it is answered with a success, or with one of the statuses
// that will do as well, and decodes a success. Another refusal is an error.
func (r *Run) insist(ctx context.Context, c call, into any, do ...int) error {
	for try := 0; ; try++ {
		node := try % len(r.target.Nodes)
		if err := r.authenticate(ctx, node, c.app); err == nil {
			id := r.ids.Add(1)
			a := r.send(ctx, node, c, id)
			switch {
			case a.outcome() != known:
			case a.status < 300 && into != nil:
				return json.Unmarshal(a.body, into)
			case a.status < 300, slices.Contains(do, a.status):
				return nil
			default:
				return fmt.Errorf("%s %s: %v", c.method, c.url, &a)
			}
		}
		if err := pause(ctx, backoff(try)); err != nil {
			return fmt.Errorf("%s %s: not answered: %w", c.method, c.url, err)
		}
	}
}

// backoff is how long to wait after a try: a twentieth of a second at first, a second at most.
func backoff(try int) time.Duration {
	return min(50*time.Millisecond<<min(try, 5), time.Second)
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
