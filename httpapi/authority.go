package httpapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"keyquorum/vault"
)

// Bounds of what is asked of an attestation authority.
const (
	authorityTime = 5 * time.Second
	authorityBody = 256 << 10        // bytes of each of its two documents
	authorityLife = 10 * time.Minute // of its keys here

	authorityPause = 5 * time.Second // between two tries while it has given none
	authorityAgain = time.Minute     // between two tries while it has given others
)

// Authorities are the services that this node asks for the keys which their attestations are signed
// with: those that its operator has named, and no other, whatever a release policy says. They speak
// OpenID Connect Discovery 1.0.
type Authorities struct {
	named  map[string]*authority // by vault.AuthorityName
	client *http.Client
	now    func() time.Time
}

// An authority is one of them, and what is known of it. Whoever has the turn may look and fetch.
type authority struct {
	url     string
	turn    chan struct{} // holds one
	asked   time.Time     // when the last fetch began
	failed  error         // what became of it
	set     []byte        // nil: none was ever fetched
	kids    []string      // of the keys in it
	fetched time.Time
}

// NewAuthorities takes https URLs. roots says whose certificates are trusted; nil: the system's
// roots.
func NewAuthorities(allowed []string, roots *tls.Config) (*Authorities, error) {
	a := &Authorities{named: make(map[string]*authority), now: time.Now}
	for _, text := range allowed {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" ||
			u.Fragment != "" {
			return nil, fmt.Errorf("attestation authority %q: it is an https URL without query", text)
		}
		text = vault.AuthorityName(text)
		a.named[text] = &authority{url: text, turn: make(chan struct{}, 1)}
	}
	a.client = &http.Client{
		Timeout: authorityTime,
		Transport: &http.Transport{TLSClientConfig: roots, MaxConnsPerHost: 2,
			IdleConnTimeout: time.Minute, TLSHandshakeTimeout: authorityTime},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("an authority must answer itself")
		},
	}
	return a, nil
}

// Keys gives the JSON Web Key Set of an authority, at most ten minutes old. kid is the key that is
// looked for: a set without it is fetched anew, for the authority may have changed its keys, but
// not more than once a minute, for anybody can make a kid up.
func (a *Authorities) Keys(ctx context.Context, issuer, kid string) ([]byte, error) {
	at := a.named[vault.AuthorityName(issuer)]
	if at == nil {
		return nil, errors.New("the authority is not among those that this node may ask")
	}
	select {
	case at.turn <- struct{}{}:
		defer func() { <-at.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if at.due(a.now(), kid) {
		a.refresh(context.WithoutCancel(ctx), at) // what comes is for all who wait, even if this one goes
	}
	if !at.current(a.now()) {
		return nil, at.failed
	}
	return at.set, nil
}

func (at *authority) current(now time.Time) bool {
	return at.set != nil && now.Sub(at.fetched) < authorityLife
}

func (at *authority) due(now time.Time, kid string) bool {
	pause := authorityPause
	if at.current(now) {
		if slices.Contains(at.kids, kid) {
			return false
		}
		pause = authorityAgain
	}
	return at.asked.IsZero() || now.Sub(at.asked) >= pause
}

// refresh leaves a set that is there alone if it gets no other.
func (a *Authorities) refresh(ctx context.Context, at *authority) {
	at.asked = a.now()
	set, err := a.fetch(ctx, at.url)
	var found struct {
		Keys []struct{ Kid string }
	}
	if err == nil {
		err = json.Unmarshal(set, &found)
	}
	if at.failed = err; err != nil {
		return
	}
	at.set, at.fetched, at.kids = set, a.now(), nil
	for _, k := range found.Keys {
		at.kids = append(at.kids, k.Kid)
	}
}

func (a *Authorities) fetch(ctx context.Context, authority string) ([]byte, error) {
	b, err := a.get(ctx, authority+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var found struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(b, &found); err != nil {
		return nil, err
	}
	if vault.AuthorityName(found.Issuer) != authority { // OpenID Connect Discovery 1.0 section 4.3
		return nil, errors.New("the authority says that it is another")
	}
	own, _ := url.Parse(authority)
	u, err := url.Parse(found.JWKS)
	if err != nil || u.Scheme != "https" || !strings.EqualFold(u.Host, own.Host) {
		return nil, errors.New("the authority's keys are not on its own host")
	}
	return a.get(ctx, found.JWKS)
}

func (a *Authorities) get(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := a.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the authority answered %s", answer.Status)
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, authorityBody+1))
	if err == nil && len(b) > authorityBody {
		err = errors.New("the authority's answer is too long")
	}
	return b, err
}
