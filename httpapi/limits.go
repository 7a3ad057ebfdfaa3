package httpapi

import (
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// Limits of a request (decision 22).
const (
	requestTime   = 30 * time.Second // from its headers to its answer
	probeTime     = 2 * time.Second  // of what tells how a node is
	transferTime  = 2 * time.Minute  // of backups and restores: megabytes, over slow lines too
	headerTime    = 5 * time.Second
	answerTime    = 10 * time.Second // for the answer to be read
	idleTime      = 2 * time.Minute
	maxURL        = 8 << 10  // bytes
	maxHeaders    = 16 << 10 // bytes of names and values
	maxHeaderRead = 32 << 10 // where net/http hangs up: between the two we answer in the plane's own format
	maxBody       = 1 << 20
	restoreBody   = 28 << 20 // of a backup of 20 MiB in base64
	smallBody     = 64 << 10 // of routes that take a few short values
	openBody      = 32 << 10 // of routes that strangers may call: a chain of certificates, a form
	tinyBody      = 4 << 10  // of those that take a share or a name
)

// NewServer returns a server with the limits of decision 22 around New's handler, which it closes
// at Shutdown. Errors of connections go to logger.
func NewServer(n *node.Node, c Config, logger hclog.Logger) *Server {
	c.Logger = logger
	h := New(n, c)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // see forget.go
	s := &http.Server{
		Handler:           h,
		Protocols:         protocols,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      requestTime + answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderRead,
		ConnContext:       remember,
		ConnState:         used,

		DisableGeneralOptionsHandler: true, // it answers "OPTIONS *" without a word to us
		ErrorLog: h.log.StandardLogger(&hclog.StandardLoggerOptions{
			ForceLevel: hclog.Debug}),
	}
	s.RegisterOnShutdown(h.Close)
	return &Server{s, h}
}

// headLimits refuses what no route needs, before anything is looked at.
func (c *call) headLimits() error {
	r := c.r
	if c.nowhere != nil {
		return wire.Refuse(http.StatusBadRequest, "BadParameter", c.nowhere.Error())
	}
	if len(r.RequestURI) > maxURL {
		return wire.Refuse(http.StatusRequestURITooLong, "RequestUriTooLong", "The URL is too long.")
	}
	for _, name := range once {
		if len(r.Header[name]) > 1 {
			return wire.Refuse(http.StatusBadRequest, "BadParameter", "The header "+name+" is given twice.")
		}
	}
	size := 0
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	if size > maxHeaders {
		return wire.Refuse(http.StatusRequestHeaderFieldsTooLarge, "RequestHeadersTooLarge",
			"The request headers are too large.")
	}
	return nil
}

// once are headers of which two parsers could take two.
var once = []string{
	"Authorization", "X-Vault-Token", "X-Vault-Namespace", "X-Vault-Index", "X-Keyquorum-Consistency",
	"Content-Type", "Content-Encoding",
}

// maxLarge is how many bodies over smallBody may be in memory at once: anyone with a token could
// otherwise fill it with requests that are never completed, one for each connection. Nobody has to
// wait for such a place: it is given or refused. Of the maxHuge for bodies over maxBody no
// application gets a second one.
const (
	maxLarge = 32
	maxHuge  = 2
)

func tooManyLarge() error {
	f := wire.Unavailable("Too many large requests are being read.")
	f.Early = true
	return f
}
