// Package joining makes a node a member of a cluster: the two calls to a member, which prove that
// the node was given the unseal shares, the series of attempts that somebody has asked for, and the
// search at the places of the configuration. What both ends of the calls say is here.
package joining

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/seeds"
	"keyquorum/httpapi/wire"
	"keyquorum/internal/address"
	"keyquorum/node"
)

// Bounds of the calls that a joining node makes.
const (
	joinCallTime = 30 * time.Second
	AttemptTime  = 10 * time.Second // of one in a series: nothing else can be done with the node meanwhile
	joinPause    = 2 * time.Second
	FirstWait    = time.Second // for the first attempt of a series, before whoever asked is answered
	maxJoinBody  = 1 << 20     // bytes of an answer
)

// A Dialer reaches host:port.
type Dialer func(ctx context.Context, addr string) (net.Conn, error)

// A challenger makes the two join calls over HTTPS.
type challenger struct {
	base   string
	said   string // of this node's release
	client *http.Client
}

// ReleaseHeader has what a joining node says of its release.
const ReleaseHeader = "Keyquorum-Release"

// NewChallenger returns the client of the two join calls for the member at addr,
// "https://host:port". It trusts ca (PEM) alone where that is given, else the system's roots;
// serverName, if any, is the name that the member's certificate must have instead of addr's. It
// follows no redirect and sends nothing but https. said is what this node says of its release
// (node.Node.Says).
func NewChallenger(
	addr string, ca []byte, serverName string, dial Dialer, said string,
) (node.Challenger, error) {
	if err := address.URL(addr); err != nil {
		return nil, fmt.Errorf("leader_api_addr: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}
	if len(ca) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("leader_ca_cert holds no PEM certificate")
		}
	}
	return &challenger{
		said: said,
		base: strings.TrimRight(addr, "/") + "/v1/sys/storage/raft/bootstrap/",
		client: &http.Client{
			Timeout: joinCallTime,
			Transport: &http.Transport{
				TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: true,
				TLSHandshakeTimeout: AttemptTime, // of a call that was given up too
				DialContext: func(ctx context.Context, _, addr string) (net.Conn,
					error) {
					return dial(ctx, addr)
				},
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Challenge asks for the seal's lock and a nonce.
func (ch *challenger) Challenge(ctx context.Context, serverID string) (node.Challenge, error) {
	var out ChallengeData
	err := ch.call(ctx, "challenge", ChallengeBody{serverID}, &out)
	return node.Challenge{Lock: out.Challenge, Nonce: out.Nonce, Version: out.Version}, err
}

// Answer proves that this node was given the shares, and returns what makes it a member.
func (ch *challenger) Answer(ctx context.Context, a node.Answer) (node.Admission, error) {
	in := AnswerBody{ServerID: a.ServerID, Nonce: a.Nonce, Answer: a.MAC, CSR: a.CSR,
		ClusterAddr: a.ClusterAddr, Label: a.Label}
	var out AdmissionData
	err := ch.call(ctx, "answer", in, &out)
	return node.Admission(out), err
}

// call sends one PUT and decodes the envelope's data.
func (ch *challenger) call(ctx context.Context, name string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, ch.base+name, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Vault-Request", "true")
	req.Header.Set(ReleaseHeader, ch.said)
	resp, err := ch.client.Do(req)
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		if isClusterPort(unknown.Cert) {
			return errClusterPort
		}
		return fmt.Errorf("%w; give --leader-ca-cert (leader_ca_cert): the authority that signed the certificate there",
			err)
	}
	if name := (x509.HostnameError{}); errors.As(err, &name) && isClusterPort(name.Certificate) {
		return errClusterPort
	}
	if request := (*url.Error)(nil); errors.As(err, &request) {
		return request.Err // whom was asked is known
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxJoinBody))
	if err != nil {
		return err
	}
	var envelope struct {
		Data   json.RawMessage `json:"data"`
		Errors []string        `json:"errors"`
	}
	if err := json.Unmarshal(b, &envelope); err != nil {
		return fmt.Errorf("the %s call was answered %d, not by a node", name, resp.StatusCode)
	}
	if resp.StatusCode != http.StatusOK {
		text := strings.Join(envelope.Errors, "; ") // written by whoever is at the other end
		return &Refused{name, resp.StatusCode, text[:min(len(text), wire.MaxLogged)]}
	}
	return json.Unmarshal(envelope.Data, out)
}

// errClusterPort: members speak to each other there, and to nobody else.
var errClusterPort = errors.New("that is a member's cluster port, by its certificate: name its " +
	"API address (usually port 8200)")

// isClusterPort says whether a certificate is one that a cluster gave its member. It proves
// nothing, and only chooses the words of a refusal.
func isClusterPort(cert *x509.Certificate) bool {
	return cert != nil && len(cert.URIs) == 1 && cert.URIs[0].Scheme == "keyquorum"
}

// Refused is a join call that the member answered, and refused.
type Refused struct {
	name   string
	Status int
	text   string
}

// Error says which call was refused, and why.
func (r *Refused) Error() string {
	if r.Status == http.StatusServiceUnavailable && r.text == "Vault is sealed" {
		return "the node there is sealed: give it its unseal shares first, or name another member"
	}
	return fmt.Sprintf("the %s call was refused with %d: %s", r.name, r.Status, r.text)
}

// Is: where a member has refused, and the same asked again would be refused again, nothing came
// of it.
func (r *Refused) Is(target error) bool {
	return target == node.ErrNotAdmitted && r.Status < http.StatusInternalServerError ||
		target == node.ErrIDRemoved && r.Status == http.StatusGone
}

// Joins owns what makes this node join in the background: the one series of attempts that somebody
// may have asked for, and the search at the places of the configuration.
type Joins struct {
	n      *node.Node
	log    hclog.Logger
	Search *seeds.Search // nil: the configuration names no place

	mu        sync.Mutex             // held to begin and to end a series
	series    atomic.Pointer[Series] // nil: nobody asked for one, or another join has ended it
	closed    bool
	searching sync.WaitGroup
	endSearch context.CancelFunc
}

// A Series is attempts to join at one address, until one succeeds or is refused for good.
type Series struct {
	at    string // a URL
	stop  context.CancelFunc
	First chan struct{} // closed when the first attempt has ended
	done  chan struct{} // closed when the series has

	mu   sync.Mutex
	why  error // for which the last attempt has failed
	over bool  // it was refused for good
}

// New returns those of a node, and begins the search, if there is one. Close ends all of it.
func New(n *node.Node, log hclog.Logger, search *seeds.Search) *Joins {
	j := &Joins{n: n, log: log, Search: search}
	ctx, cancel := context.WithCancel(context.Background())
	j.endSearch = cancel
	if search != nil {
		j.searching.Go(func() { search.Run(ctx) })
	}
	return j
}

// NewSearch is a look for a member at the places of a configuration, nil where that has none. Reach
// is made of dial; no resolver is the system's.
func NewSearch(c seeds.Config, dial Dialer) *seeds.Search {
	if len(c.Seeds) == 0 {
		return nil
	}
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	c.Reach = func(p seeds.Place) (node.Challenger, error) {
		return NewChallenger(p.API, p.CA, p.ServerName, dial, c.Node.Says())
	}
	return seeds.NewSearch(c)
}

// Says is what a status tells of the series. What came of it is for whoever is on this machine.
func (s *Series) Says(nearby bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := "this node asks at " + s.at + " until a member there lets it join"
	if s.over {
		text = "this node was refused at " + s.at + ", and asks no more"
	}
	switch {
	case s.why == nil:
		return text
	case nearby:
		return text + "; at last: " + s.why.Error()
	}
	return text + "; its log says what came of it"
}

func (s *Series) note(why error, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why, s.over = why, over
}

// Refused is why there are no more attempts, nil where there are, or one has succeeded.
func (s *Series) Refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return s.why
	}
	return nil
}

// Asked is the series that somebody asked for; nil where there is none, or another join has ended it.
func (j *Joins) Asked() *Series { return j.series.Load() }

// Ended is closed when there are no more attempts.
func (s *Series) Ended() <-chan struct{} { return s.done }

// Start ends the series under way and begins another, nil after the end of all.
func (j *Joins) Start(ch node.Challenger, at string, nonVoter bool) *Series {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.endLocked()
	ctx, cancel := context.WithCancel(context.Background())
	s := &Series{at: at, stop: cancel, First: make(chan struct{}), done: make(chan struct{})}
	j.series.Store(s)
	go func() {
		defer close(s.done)
		j.try(ctx, s, ch, nonVoter)
	}()
	return s
}

// try attempts until one succeeds, one is refused for good, the node has become a member in another
// way, or ctx ends.
func (j *Joins) try(ctx context.Context, s *Series, ch node.Challenger, nonVoter bool) {
	pause := time.NewTicker(joinPause)
	defer pause.Stop()
	begun := sync.OnceFunc(func() { close(s.First) })
	defer begun()
	for {
		attempt, cancel := context.WithTimeout(ctx, AttemptTime)
		err := j.n.Join(attempt, ch, nonVoter)
		cancel()
		if err == nil || errors.Is(err, node.ErrUnsealed) || ctx.Err() != nil {
			return
		}
		peer := new(node.PeerError)
		over := errors.As(err, &peer)
		s.note(err, over)
		begun()
		if over {
			j.log.Error("this node can't join the cluster; not trying again", "error", err)
			return
		}
		j.log.Warn("joining the cluster failed; trying again", "address", s.at, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// End ends the series under way, for another join.
func (j *Joins) End() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.endLocked()
}

func (j *Joins) endLocked() {
	if s := j.series.Swap(nil); s != nil {
		s.stop()
		<-s.done
	}
}

// Close returns when the attempt under way, and the search, have ended.
func (j *Joins) Close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.endSearch()
	j.searching.Wait()
	j.endLocked()
}

// A ChallengeBody asks for a challenge.
type ChallengeBody struct {
	ServerID string `json:"server_id"`
}

// ChallengeData is what a member answers to that.
type ChallengeData struct {
	Challenge  []byte         `json:"challenge"` // the seal's lock
	Nonce      []byte         `json:"nonce"`
	SealConfig SealConfigData `json:"seal_config"`
	Version    string         `json:"version"`
}

// SealConfigData says how many shares there are, and how many it takes.
type SealConfigData struct {
	Type      string `json:"type"`
	Shares    int    `json:"secret_shares"`
	Threshold int    `json:"secret_threshold"`
}

// AnswerBody is node.Answer on the wire; bytes are standard base64.
type AnswerBody struct {
	ServerID    string `json:"server_id"`
	Nonce       []byte `json:"nonce"`
	Answer      []byte `json:"answer"`
	CSR         []byte `json:"csr"`
	ClusterAddr string `json:"cluster_addr"`
	Label       string `json:"label,omitempty"`
}

// AdmissionData is what makes a node a member.
type AdmissionData struct {
	Certificate []byte `json:"certificate"`
	CA          []byte `json:"ca"`
	GossipKey   []byte `json:"gossip_key"`
	SealRecord  []byte `json:"seal_record"`
	Trust       []byte `json:"trust"`
	Proof       []byte `json:"proof"`
}
