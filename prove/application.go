package prove

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// An application is a principal of the run, as whoever holds one of its client secrets. It has a
// token for each node: one fits all as long as their clocks agree.
type application struct {
	name, clientID, secret string
	credential             string // the secret's id
	tokens                 []atomic.Pointer[token]
}

type token struct {
	bearer    string
	renew     time.Time // half of its life is over
	ends      time.Time
	throwaway bool // a node refused it
}

// newApplication makes an application with so many client secrets.
func (r *Run) newApplication(ctx context.Context, suffix string, secrets int) (apps []*application,
	err error) {
	name := r.Prefix() + suffix
	create := operatorCall(http.MethodPost, "/v1/keyquorum/apps", fmt.Sprintf(`{"name":%q}`, name))
	if err := r.insist(ctx, create, nil,
		http.StatusConflict); err != nil { // a conflict is with an earlier try: the name is ours
		return nil, err
	}
	for range secrets {
		app, err := r.newSecret(ctx, name)
		if err != nil {
			return nil, err
		}
		apps = append(apps, app)
	}
	return apps, nil
}

// newSecret makes a client secret, and fetches a token with it.
func (r *Run) newSecret(ctx context.Context, name string) (*application, error) {
	app := &application{name: name, tokens: make([]atomic.Pointer[token], len(r.target.Nodes))}
	var credential struct {
		ID       string `json:"id"`
		ClientID string `json:"client_id"`
		Secret   string `json:"secret"`
	}
	if err := r.insist(ctx, operatorCall(http.MethodPost,
		"/v1/keyquorum/apps/"+app.name+"/credentials", ""), &credential); err != nil {
		return nil, err
	}
	app.clientID, app.secret, app.credential = credential.ClientID, credential.Secret, credential.ID
	var issued issued
	if err := r.insist(ctx, r.issueCall(app), &issued); err != nil {
		return nil, err
	}
	for node := range app.tokens {
		app.tokens[node].Store(issued.token())
	}
	return app, nil
}

// issued is the answer of the token endpoint (RFC 6749 section 5.1).
type issued struct {
	Bearer string `json:"access_token"`
	Life   int    `json:"expires_in"` // seconds
}

func (i issued) token() *token {
	life := time.Duration(i.Life) * time.Second
	return &token{bearer: i.Bearer, renew: time.Now().Add(life / 2), ends: time.Now().Add(life)}
}

func (r *Run) issueCall(app *application) call {
	_, zone, _ := strings.Cut(strings.TrimPrefix(r.target.VaultURL(r.options.Vault), "https://"), ".")
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.clientID},
		"client_secret": {app.secret},
		"scope":         {"https://" + zone + "/.default"}}
	return call{method: http.MethodPost, url: r.target.LoginURL + "/adfs/oauth2/token",
		body: form.Encode(), form: true}
}

// authenticate makes sure that app, which may be nil, has a token for a node that it can use. One
// that is old is renewed if possible.
func (r *Run) authenticate(ctx context.Context, node int, app *application) error {
	if app == nil {
		return nil
	}
	old := app.tokens[node].Load()
	if time.Now().Before(old.renew) && !old.throwaway {
		return nil
	}
	a := r.send(ctx, node, r.issueCall(app), r.ids.Add(1))
	var issued issued
	if a.status == http.StatusOK && json.Unmarshal(a.body, &issued) == nil {
		app.tokens[node].Store(issued.token())
		return nil
	}
	if time.Now().Before(old.ends) && !old.throwaway {
		return nil
	}
	return fmt.Errorf("no token for %s: %v", app.name, &a)
}

// discard marks the token that a node has refused.
func (app *application) discard(node int) {
	t := *app.tokens[node].Load()
	t.throwaway = true
	app.tokens[node].Store(&t)
}
