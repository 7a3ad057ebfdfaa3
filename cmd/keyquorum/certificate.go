package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/doctor"
	"keyquorum/httpapi"
)

// A certificate is the API's key pair, read again when one of its files has changed. A pair that
// cannot be read (half of a renewal is written) leaves the one before it in service.
type certificate struct {
	certFile, keyFile string
	zones             []httpapi.Zone // whose names it should cover
	address           string         // of this node, https://host:port: its host too
	log               hclog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]fileStamp // of the files at the last attempt to read them
	warned  time.Time    // of its end
}

type fileStamp struct {
	modified time.Time
	size     int64
}

func loadCertificate(
	certFile, keyFile string, zones []httpapi.Zone, address string, log hclog.Logger,
) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, zones: zones, address: address, log: log}
	c.seen = c.stamps()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate of the API (--tls-cert, --tls-key): %w", err)
	}
	c.current = &pair
	c.warnOfUncovered()
	c.warnOfEnd(time.Now())
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
	c.warnOfEnd(time.Now())
	return c.current, nil
}

// end is when the pair in service ends.
func (c *certificate) end() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current.Leaf.NotAfter
}

const (
	endIsNear = doctor.EndIsNear
	warnAgain = 24 * time.Hour
)

// A remark is something about a certificate that its clients mind.
type remark struct {
	bad       bool // they refuse it now
	text      string
	name, key string // what it is about: a time or a host
}

// warnOfEnd says once a day that clients refuse the certificate, or soon will. A node that nobody
// calls says it at its start.
func (c *certificate) warnOfEnd(now time.Time) {
	of, isNear := remarkOfEnd(c.current.Leaf, now)
	if !isNear || now.Sub(c.warned) < warnAgain {
		return
	}
	c.warned = now
	level := hclog.Warn
	if of.bad {
		level = hclog.Error
	}
	c.log.Log(level, of.text, "file", c.certFile, of.name, of.key)
}

// remarkOfEnd is what there is to say of a certificate's dates.
func remarkOfEnd(leaf *x509.Certificate, now time.Time) (of remark, isNear bool) {
	switch left := leaf.NotAfter.Sub(now); {
	case leaf.NotBefore.After(now):
		return remark{true, "the certificate of the API is not good yet: clients refuse it",
			"begins", console.TimeText(leaf.NotBefore)}, true
	case left <= 0:
		return remark{true, "the certificate of the API has ended: clients refuse it; renew the file",
			"ended", console.TimeText(leaf.NotAfter)}, true
	case left <= endIsNear:
		return remark{false, "the certificate of the API ends soon; renew the file",
			"ends", console.TimeText(leaf.NotAfter)}, true
	}
	return remark{}, false
}

// use takes another pair into service, or says why it can't.
func (c *certificate) use(certFile, keyFile string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return fmt.Errorf("certificate of the API (--tls-cert, --tls-key): %w", err)
	}
	c.certFile, c.keyFile = certFile, keyFile
	c.seen = c.stamps()
	if !bytes.Equal(pair.Certificate[0], c.current.Certificate[0]) {
		c.putLocked(&pair)
	}
	return nil
}

func (c *certificate) putLocked(pair *tls.Certificate) {
	c.current, c.warned = pair, time.Time{}
	c.log.Info("the API has a new certificate", "file", c.certFile)
	c.warnOfUncovered()
}

func (c *certificate) reloadLocked() {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		c.log.Error("the changed certificate of the API cannot be read; the one before it stays",
			"error", err)
		return
	}
	c.putLocked(&pair)
}

// warnOfUncovered names hosts at which clients will refuse the certificate. It is no error: a proxy
// may stand before the node, and a renewal mends it.
func (c *certificate) warnOfUncovered() {
	for _, of := range uncovered(c.current.Leaf, c.zones, c.address) {
		c.log.Warn(of.text, of.name, of.key)
	}
}

func uncovered(leaf *x509.Certificate, zones []httpapi.Zone, address string) (all []remark) {
	covers := func(host, text string) {
		if leaf.VerifyHostname(strings.Replace(host, "*", "any", 1)) != nil {
			all = append(all, remark{false, text, "host", host})
		}
	}
	if u, err := url.Parse(address); err == nil {
		covers(u.Hostname(), "the certificate of the API does not cover this node's own address "+
			"(--api-addr): operators' clients and nodes that join refuse it")
	}
	for _, z := range zones {
		covers(z.Login, "the certificate of the API does not cover a login host: no application gets "+
			"a token there")
		covers("*."+z.Suffix, "the certificate of the API does not cover all vaults of a zone: "+
			"clients refuse them")
	}
	return all
}

func (c *certificate) stamps() (s [2]fileStamp) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = fileStamp{info.ModTime(), info.Size()}
		}
	}
	return s
}
