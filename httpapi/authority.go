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
	"sync"
	"time"
)

// Bounds of what is asked of an attestation authority.
const (
	authorityTime = 5 * time.Second
	authorityBody = 256 << 10        // bytes of each of its two documents
	authorityLife = 10 * time.Minute // of its keys here
)

// Authorities are the services that this node asks for the keys which their attestations are signed with: those that its operator has
// named, and no other, whatever a release policy says. They speak OpenID Connect Discovery 1.0.
type Authorities struct {
	allowed []string // without a slash at the end
	client  *http.Client

	mu   sync.Mutex
	keys map[string]authorityKeys // at most one for each of allowed
}

type authorityKeys struct {
	set     []byte
	fetched time.Time
}

// NewAuthorities takes https URLs. roots says whose certificates are trusted; nil: the system's roots.
func NewAuthorities(allowed []string, roots *tls.Config) (*Authorities, error) {
	a := &Authorities{keys: make(map[string]authorityKeys)}
	for _, text := range allowed {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("attestation authority %q: it is an https URL without query", text)
		}
		a.allowed = append(a.allowed, strings.TrimSuffix(text, "/"))
	}
	a.client = &http.Client{
		Timeout:   authorityTime,
		Transport: &http.Transport{TLSClientConfig: roots, MaxConnsPerHost: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: authorityTime},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("an authority must answer itself")
		},
	}
	return a, nil
}

// Keys gives the JSON Web Key Set of an authority, at most ten minutes old.
func (a *Authorities) Keys(ctx context.Context, authority string) ([]byte, error) {
	authority = strings.TrimSuffix(authority, "/")
	if !slices.Contains(a.allowed, authority) {
		return nil, errors.New("the authority is not among those that this node may ask")
	}
	a.mu.Lock()
	known := a.keys[authority]
	a.mu.Unlock()
	if known.set != nil && time.Since(known.fetched) < authorityLife {
		return known.set, nil
	}
	set, err := a.fetch(ctx, authority)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[authority] = authorityKeys{set, time.Now()}
	return set, nil
}

func (a *Authorities) fetch(ctx context.Context, authority string) ([]byte, error) {
	b, err := a.get(ctx, authority+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var found struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(b, &found); err != nil {
		return nil, err
	}
	own, _ := url.Parse(authority)
	if u, err := url.Parse(found.JWKS); err != nil || u.Scheme != "https" || u.Host != own.Host {
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
