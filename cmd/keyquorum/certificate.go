package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi"
)

// A certificate is the API's key pair, read again when one of its files has changed. A pair that cannot be read (half
// of a renewal is written) leaves the one before it in service.
type certificate struct {
	certFile, keyFile string
	zones             []httpapi.Zone // whose names it should cover
	log               hclog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]fileStamp // of the files at the last attempt to read them
}

type fileStamp struct {
	modified time.Time
	size     int64
}

func loadCertificate(certFile, keyFile string, zones []httpapi.Zone, log hclog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, zones: zones, log: log}
	c.seen = c.stamps()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate of the API (--tls-cert, --tls-key): %w", err)
	}
	c.current = &pair
	c.warnOfUncovered()
	return c, nil
}

// forHandshake is a tls.Config.GetCertificate.
func (c *certificate) forHandshake(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.stamps(); now != c.seen {
		c.seen = now
		c.reloadLocked()
	}
	return c.current, nil
}

func (c *certificate) reloadLocked() {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		c.log.Error("the changed certificate of the API cannot be read; the one before it stays", "error", err)
		return
	}
	c.current = &pair
	c.log.Info("the API has a new certificate", "file", c.certFile)
	c.warnOfUncovered()
}

// warnOfUncovered names hosts at which clients will refuse the certificate. It is no error: a proxy may stand before the node,
// and a renewal mends it.
func (c *certificate) warnOfUncovered() {
	for _, z := range c.zones {
		if c.current.Leaf.VerifyHostname(z.Login) != nil {
			c.log.Warn("the certificate of the API does not cover a login host: no application gets a token there", "host", z.Login)
		}
		if c.current.Leaf.VerifyHostname("any."+z.Suffix) != nil {
			c.log.Warn("the certificate of the API does not cover all vaults of a zone: clients refuse them", "host", "*."+z.Suffix)
		}
	}
}

func (c *certificate) stamps() (s [2]fileStamp) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = fileStamp{info.ModTime(), info.Size()}
		}
	}
	return s
}
