package exchange

import (
	"net/http"
	"time"

	"keyquorum/httpapi/wire"
)

// Limits of a request (decision 22).
const (
	RequestTime   = 30 * time.Second // from its headers to its answer
	ProbeTime     = 2 * time.Second  // of what tells how a node is
	TransferTime  = 2 * time.Minute  // of backups and restores: megabytes, over slow lines too
	HeaderTime    = 5 * time.Second
	AnswerTime    = 10 * time.Second // for the answer to be read
	IdleTime      = 2 * time.Minute
	maxURL        = 8 << 10  // bytes
	maxHeaders    = 16 << 10 // bytes of names and values
	MaxHeaderRead = 32 << 10 // where net/http hangs up: between the two we answer in the plane's own format
	MaxBody       = 1 << 20
	RestoreBody   = 28 << 20 // of a backup of 20 MiB in base64
	SmallBody     = 64 << 10 // of routes that take a few short values
	OpenBody      = 32 << 10 // of routes that strangers may call: a chain of certificates, a form
	TinyBody      = 4 << 10  // of those that take a share or a name
)

// HeadLimits refuses what no route needs, before anything is looked at.
func (c *Call) HeadLimits() error {
	r := c.R
	if c.Nowhere != nil {
		return wire.Refuse(http.StatusBadRequest, "BadParameter", c.Nowhere.Error())
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
