package calls

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cluster/port"
	"keyquorum/cluster/wire"
)

// Rules are what a Server asks of its member. All is required.
type Rules struct {
	// May is the word for who may not make a call; "" for who may. said is what the asker says of its
	// release: foreign bytes, "" where it says nothing.
	May func(path string, asker port.Peer, said string) Word
	// Says is what each answer says of this node's release.
	Says string
	// WordFor is the word for an error that is none; "" where it has none.
	WordFor func(err error) Word
	Logger  hclog.Logger
}

// A Server answers the calls of others.
type Server struct {
	rules  Rules
	mux    *http.ServeMux
	http   *http.Server
	bodies *limit // long ones

	conns   *limit
	counted sync.Map // of net.Conn: its node's *share of connections
}

// headerTimeout bounds what a peer may take to say what it calls.
const headerTimeout = 5 * time.Second

// NewServer makes one without calls.
func NewServer(rules Rules) *Server {
	mux, protocols := http.NewServeMux(), new(http.Protocols)
	protocols.SetHTTP2(true)
	s := &Server{
		rules: rules, mux: mux, conns: newLimit(maxConns), bodies: newLimit(maxLongBodies),
	}
	s.http = &http.Server{
		Handler:           mux,
		Protocols:         protocols,
		TLSConfig:         &tls.Config{NextProtos: []string{port.Calls}},
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       life,
		MaxHeaderBytes:    maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 1000, SendPingTimeout: pingAfter, PingTimeout: pingAfter,
		},
		ErrorLog: rules.Logger.StandardLogger(nil),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return WithAsker(ctx, port.PeerOf(conn))
		},
		ConnState: s.count,
	}
	return s
}

// count closes a connection of a node that has enough. The end of one may be told twice.
func (s *Server) count(conn net.Conn, state http.ConnState) {
	node := port.PeerOf(conn).Node
	switch state {
	case http.StateNew:
		if counted := s.conns.join(node, maxConns); counted != nil {
			s.counted.Store(conn, counted)
			return
		}
		conn.Close()
	case http.StateClosed:
		if counted, ok := s.counted.LoadAndDelete(conn); ok {
			s.conns.quit(node, counted.(*share))
		}
	}
}

// Serve answers what comes in by a listener of a port, and ends with it.
func (s *Server) Serve(listener net.Listener) { _ = s.http.Serve(listener) }

// ServeHTTP answers one call, whose context has its asker.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close ends all calls that are under way.
func (s *Server) Close() { s.http.Close() }

type askerKey struct{}

// WithAsker is a context of a call by somebody.
func WithAsker(ctx context.Context, asker port.Peer) context.Context {
	return context.WithValue(ctx, askerKey{}, asker)
}

// Asker is who asks, in the context of a call.
func Asker(ctx context.Context) port.Peer {
	asker, _ := ctx.Value(askerKey{}).(port.Peer)
	return asker
}

// On registers a call, of which a node may have so many under way, Many or Few. from is the asker's
// node id, as its certificate says.
func On[Req, Resp any](
	s *Server, path string, most int,
	serve func(ctx context.Context, from string, r Req) (Resp, error),
) {
	limit := newLimit(most)
	s.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		asker := Asker(r.Context())
		w.Header().Set(releaseHeader, s.rules.Says)
		if word := s.rules.May(path, asker, r.Header.Get(releaseHeader)); word != "" {
			http.Error(w, string(word), http.StatusForbidden)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), life)
		defer cancel()
		leave, err := limit.enter(ctx, asker.Node)
		if err != nil {
			s.refuse(w, path, err)
			return
		}
		defer leave()
		if r.ContentLength < 0 || r.ContentLength > longBody {
			leave, err := s.bodies.enter(ctx, asker.Node)
			if err != nil {
				s.refuse(w, path, err)
				return
			}
			defer leave()
		}
		var request Req
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
		if err != nil || wire.Decode(body, &request) != nil {
			http.Error(w, string(Bad), http.StatusBadRequest)
			return
		}
		response, err := serve(ctx, asker.Node, request)
		if err != nil {
			s.refuse(w, path, err)
			return
		}
		encoded, err := wire.Encode(response)
		if err != nil {
			s.refuse(w, path, err)
			return
		}
		w.Write(encoded)
	})
}

func (s *Server) refuse(w http.ResponseWriter, path string, err error) {
	var word Word
	if !errors.As(err, &word) {
		word = s.rules.WordFor(err)
	}
	if word == "" {
		s.rules.Logger.Warn("call failed", "call", path, "error", err)
		word = Failed
	}
	http.Error(w, string(word), http.StatusConflict)
}
