package httpapi

import (
	"crypto/tls"
	"net"
	"net/http"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/connections"
	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/forwarded"
	"keyquorum/node"
)

// A Server is net/http's, behind connections that are bounded.
type Server struct {
	*http.Server
	handler *Handler
}

// Change takes other settings while it serves. A connection keeps the caller that it came with.
func (s *Server) Change(t Throttle, level hclog.Level, trust *forwarded.Trust) {
	s.handler.SetThrottle(t)
	s.handler.SetLogLevel(level)
	s.handler.desk.Trust.Store(trust)
}

// ServeTLS serves the connections that come in at l, until the server is closed.
func (s *Server) ServeTLS(l net.Listener, config *tls.Config) error {
	desk := s.handler.desk
	return s.Serve(s.handler.conns.Listen(l, config, desk.Trust.Load, desk.Log))
}

// NewServer returns a server with the limits of decision 22 around New's handler, which it closes
// at Shutdown. Errors of connections go to logger.
func NewServer(n *node.Node, c Config, logger hclog.Logger) *Server {
	c.Logger = logger
	h := New(n, c)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // see connections/forget.go
	s := &http.Server{
		Handler:           h,
		Protocols:         protocols,
		ReadHeaderTimeout: exchange.HeaderTime,
		ReadTimeout:       exchange.RequestTime,
		WriteTimeout:      exchange.RequestTime + exchange.AnswerTime,
		IdleTimeout:       exchange.IdleTime,
		MaxHeaderBytes:    exchange.MaxHeaderRead,
		ConnContext:       connections.Context,
		ConnState:         connections.State,

		DisableGeneralOptionsHandler: true, // it answers "OPTIONS *" without a word to us
		ErrorLog: h.desk.Log.StandardLogger(&hclog.StandardLoggerOptions{
			ForceLevel: hclog.Debug}),
	}
	s.RegisterOnShutdown(h.Close)
	return &Server{s, h}
}
