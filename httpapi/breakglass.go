package httpapi

import (
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/netutil"

	"keyquorum/httpapi/exchange"
)

// The break-glass socket is for the day when no operator's token is left. Whoever may use it needs
// the unseal shares, no token, and gets a root token, nothing else. Its routes are those of a root
// generation, and they are served as they are with a token: at the node that is asked, with the
// token masked or encrypted. Each request is recorded, whoever made it, and logged as a warning.

// Bounds of that socket, besides those of a request. Only root and the node's own user get as far.
const (
	glassConnections = 16
	glassReadTime    = 10 * time.Second
	glassIdleTime    = 10 * time.Second
)

// A BreakGlass serves plain HTTP, on a listener that nobody reaches over a network. The listener
// gives out no connection of somebody who may not have one, and the RemoteAddr of each says which
// local user is at the other end.
type BreakGlass struct{ *http.Server }

// BreakGlass returns a server that was not started.
func (s *Server) BreakGlass() BreakGlass {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // see connections/forget.go
	return BreakGlass{&http.Server{
		Handler:           s.handler.glass,
		Protocols:         protocols,
		ReadHeaderTimeout: exchange.HeaderTime,
		ReadTimeout:       glassReadTime,
		WriteTimeout:      exchange.RequestTime + exchange.AnswerTime,
		IdleTimeout:       glassIdleTime,
		MaxHeaderBytes:    exchange.MaxHeaderRead,

		DisableGeneralOptionsHandler: true,
		ErrorLog: s.handler.desk.Log.StandardLogger(&hclog.StandardLoggerOptions{
			ForceLevel: hclog.Debug}),
	}}
}

// Serve has so many connections at once that a flood costs nothing, and others wait.
func (b BreakGlass) Serve(l net.Listener) error {
	return b.Server.Serve(netutil.LimitListener(l, glassConnections))
}
