package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"keyquorum/cluster/port"
	"keyquorum/cluster/wire"
	"keyquorum/fsm"
)

// Calls between nodes are HTTP/2 POSTs on the cluster port with CBOR bodies (docs/formats.md). They
// carry indexes, digests, sealed transactions and membership: never a request of an application,
// never a value in the clear.

// A callError is a refusal that crosses the wire as one of these words, so that the asker can tell
// what it means.
type callError string

const (
	errNotLeader      callError = "not-leader"      // surely nothing happened: ask the leader
	errMaybe          callError = "maybe"           // the transaction may be or become part of the log
	errNotMember      callError = "not-a-member"    // the asker was removed
	errStranger       callError = "stranger"        // the asker is no member that this node knows
	errTooMany        callError = "too-many"        // a queue is full
	errBadCall        callError = "bad-call"        // the body is not what this call takes
	errCallFailed     callError = "failed"          // anything else; the text is in the peer's log
	errNotConfirmed   callError = "not-confirmed"   // no majority of voters still in the leader's term
	errAddressTaken   callError = "address-taken"   // another server has that address
	errNotTransferred callError = "not-transferred" // the leader leads on
	errCantTell       callError = "cant-tell"       // this node does not have it: ask another
	// After these two surely nothing happened either. Another process speaks for the asker's
	// node, or its hello has not come yet; and this node takes no part.
	errOtherLife callError = "other-life"
	errOutcast   callError = "outcast"
)

func (e callError) Error() string { return "cluster: " + string(e) }

// maxCall bounds a call's body in both directions: a transaction and its frame.
const maxCall = fsm.MaxTxnBytes + 4096

// callLife is the longest that a call is served, whatever its asker thinks.
const callLife = 35 * time.Second

// on registers a call. from is the asker's node id, as its certificate says.
func on[Req, Resp any](
	c *Cluster, mux *http.ServeMux, path string,
	serve func(ctx context.Context, from string, r Req) (Resp, error),
) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		asker := speakerOf(r.Context())
		from := asker.Node
		if word := c.mayCall(path, asker); word != "" {
			http.Error(w, string(word), http.StatusForbidden)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), callLife)
		defer cancel()
		var request Req
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCall))
		if err != nil || wire.Decode(body, &request) != nil {
			http.Error(w, string(errBadCall), http.StatusBadRequest)
			return
		}
		response, err := serve(ctx, from, request)
		if err != nil {
			c.refuse(w, path, err)
			return
		}
		encoded, err := wire.Encode(response)
		if err != nil {
			c.refuse(w, path, err)
			return
		}
		w.Write(encoded)
	})
}

// mayCall is the word for who may not make a call; "" for who may. Anybody may say hello, also who
// was removed while Raft's configuration has it: its vote may be needed to carry that out. Any
// member may be told how this one is.
func (c *Cluster) mayCall(path string, asker port.Peer) callError {
	switch {
	case path == pathHello && (!c.removed(asker.Node) || c.isServer(asker.Node)):
		return ""
	case c.removed(asker.Node):
		return errNotMember
	case !c.belongs(asker.Node):
		return errStranger
	case path == pathStatus:
		return ""
	case !c.hears.speaks(asker):
		return errOtherLife
	case c.out.Load() != nil:
		return errOutcast
	}
	return ""
}

const (
	pathHello  = "/v1/hello"
	pathStatus = "/v1/status"
)

func (c *Cluster) refuse(w http.ResponseWriter, path string, err error) {
	var word callError
	switch {
	case errors.As(err, &word):
	case errors.Is(err, ErrBusy):
		word = errTooMany
	default:
		c.logger.Warn("call failed", "call", path, "error", err)
		word = errCallFailed
	}
	http.Error(w, string(word), http.StatusConflict)
}

// ask calls a node. An error that is no callError means that nothing is known of what the peer did.
func ask[Req, Resp any](
	ctx context.Context, c *Cluster, nodeID, path string, request Req,
) (Resp, error) {
	var response Resp
	body, err := wire.Encode(request)
	if err != nil {
		return response, err
	}
	url := "https://" + nodeID + path
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return response, err
	}
	answer, err := c.client.Load().Do(r)
	if err != nil {
		return response, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxCall))
	if err != nil {
		return response, err
	}
	if answer.StatusCode != http.StatusOK {
		word := callError(bytes.TrimSpace(content))
		if word == errNotMember {
			c.learnRemoved()
		}
		return response, word
	}
	return response, wire.Decode(content, &response)
}

// askAny asks the other members, one after the other, until one gives an answer that will do. It
// begins with any, so that who is away does not take the time of each attempt.
func askAny[Req, Resp any](
	ctx context.Context, c *Cluster, path string, request Req, will func(Resp) bool,
) (Resp, error) {
	last := ErrUnavailable
	members := c.View().Members()
	for _, i := range rand.Perm(len(members)) {
		m := members[i]
		if m.ID == c.id {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, time.Second)
		answer, err := ask[Req, Resp](asking, c, m.ID, path, request)
		cancel()
		if err == nil && will(answer) {
			return answer, nil
		}
		if err != nil {
			last = err
		}
	}
	var none Resp
	return none, last
}

type peerKey struct{}

// speakerOf is who asks.
func speakerOf(ctx context.Context) port.Peer {
	s, _ := ctx.Value(peerKey{}).(port.Peer)
	return s
}

// headerTimeout bounds what a peer may take to say what it calls.
const headerTimeout = 5 * time.Second

// newCallServer makes the HTTP/2 server of the port.
func (c *Cluster) newCallServer() *http.Server {
	mux := http.NewServeMux()
	on(c, mux, "/v1/commit", c.serveCommit)
	on(c, mux, "/v1/fence", c.serveFence)
	on(c, mux, "/v1/checkin", c.serveCheckIn)
	on(c, mux, "/v1/term", c.serveTerm)
	on(c, mux, "/v1/digest", c.serveDigest)
	on(c, mux, "/v1/suspect", c.serveSuspect)
	on(c, mux, pathStatus, c.serveStatus)
	on(c, mux, pathHello, c.serveHello)
	on(c, mux, "/v1/survey", c.serveSurvey)
	on(c, mux, "/v1/silence", c.serveSilence)
	on(c, mux, "/v1/address", c.serveAddress)
	on(c, mux, "/v1/order", c.serveOrder)
	on(c, mux, "/v1/gossip-keys", c.serveGossipKeys)
	on(c, mux, "/v1/certify", c.serveCertify)
	on(c, mux, "/v1/renewed", c.serveRenewed)
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	return &http.Server{
		Handler:           mux,
		Protocols:         protocols,
		TLSConfig:         &tls.Config{NextProtos: []string{port.Calls}},
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       callLife,
		MaxHeaderBytes:    16 << 10,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 1000, SendPingTimeout: pingAfter, PingTimeout: pingAfter,
		},
		ErrorLog: c.logger.StandardLogger(nil),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, port.PeerOf(conn))
		},
	}
}

// A dialError says that a call never left this node.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// pingAfter is the silence after which a connection for calls is checked, and after which again it
// is given up: one through a healed partition must not hold calls for the kernel's minutes.
const pingAfter = 2 * time.Second

func (c *Cluster) newCallClient() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	return &http.Client{Transport: &http.Transport{
		Protocols:         protocols,
		ForceAttemptHTTP2: true,
		DialTLSContext: func(ctx context.Context, _, target string) (net.Conn, error) {
			nodeID, _, err := net.SplitHostPort(target)
			if err != nil {
				return nil, err
			}
			conn, err := c.port.Dial(ctx, nodeID, port.Calls)
			if err != nil {
				return nil, &dialError{err}
			}
			return conn, nil
		},
		IdleConnTimeout:    time.Minute,
		DisableCompression: true,
		HTTP2:              &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
	}}
}
