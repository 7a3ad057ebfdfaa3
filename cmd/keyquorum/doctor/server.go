package doctor

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"keyquorum/node"
)

// maxPEM bounds what is read of a certificate's file, in bytes.
const maxPEM = 1 << 20

// serverChecks are those of what the node is told, and of its folder.
func serverChecks(s Server) []Check {
	p := &page{of: ofServer}
	if !s.Told {
		p.skip("configuration", "name the node's file with --config, on its machine",
			"no settings were given")
		return p.checks
	}
	for _, subject := range s.Subjects {
		p.settings(s, subject)
	}
	if len(s.Reached) > 0 {
		p.names(s.Reached)
	}
	if s.TLSCert != "" {
		p.chain(s.TLSCert)
	}
	if s.Data != "" {
		p.folder(s)
	}
	return p.checks
}

// settings repeats what server --check has found of a subject, one line each.
func (p *page) settings(s Server, subject string) {
	well := true
	for _, f := range s.Findings {
		if f.Subject != subject {
			continue
		}
		well = false
		result := Warning
		if f.Bad {
			result = Failed
		}
		p.add(subject, result, f.Next, "%s: %s", f.At, f.Found)
	}
	switch {
	case !well:
	case slices.Contains(s.Without, subject):
		p.ok(subject, "none is configured")
	default:
		p.ok(subject, "in order")
	}
}

// names looks whether the addresses at which others reach the node lead anywhere from here.
func (p *page) names(addresses []string) {
	const check = "names of the addresses"
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	for _, at := range addresses {
		host, _, err := net.SplitHostPort(at)
		if err != nil {
			continue // server --check says so
		}
		if _, err := net.DefaultResolver.LookupHost(ctx, host); err != nil {
			p.add(check, Failed, "others reach the node there: give the name an address, or the node "+
				"another name", "%v", err)
			return
		}
	}
	p.ok(check, "they are known here")
}

// chain looks whether the certificates of a file are in order, and good now. What is wrong with the
// first, and with the file, server --check says.
func (p *page) chain(file string) {
	const check = "certificate chain"
	chain, err := certificates(file)
	if err != nil || len(chain) == 0 {
		return
	}
	for i, c := range chain[1:] {
		if err := chain[i].CheckSignatureFrom(c); err != nil {
			p.add(check, Failed, "put each certificate before the one that has signed it",
				"%s: certificate %d is not signed by the next one (%v)", file, i+1, err)
			return
		}
		if now := time.Now(); now.After(c.NotAfter) || now.Before(c.NotBefore) {
			p.add(check, Failed, "get a new one from the authority",
				"%s: certificate %d, which has signed the one before it, is good from %s to %s", file, i+2,
				day(c.NotBefore), day(c.NotAfter))
			return
		}
	}
	leaf := chain[0]
	if len(chain) == 1 && leaf.CheckSignatureFrom(leaf) == nil {
		p.ok(check, "the certificate has signed itself: clients must be told to trust it")
		return
	}
	p.ok(check, "it ends below %s, whom clients must trust",
		cmp.Or(chain[len(chain)-1].Issuer.String(), "somebody without a name"))
}

// certificates are those of a PEM file, in order.
func certificates(file string) (chain []*x509.Certificate, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rest, err := io.ReadAll(io.LimitReader(f, maxPEM))
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	return chain, nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// folder looks at what is in the data folder: whose it is, in which formats, and what is left over.
func (p *page) folder(s Server) {
	const formats, leftovers = "formats", "leftovers"
	f, err := node.LookAt(s.Data)
	switch {
	case err != nil:
		p.add(formats, Failed, "don't empty it before the others have what it held "+
			"(docs/backup.md); a newer format needs a newer program", "%v", err)
		return
	case !f.Member:
		p.ok(formats, "%s holds no cluster's data: the node waits for init or join", s.Data)
	default:
		p.ok(formats, "%s is member %s of cluster %s, format %d, %d of %d shares unseal it", s.Data,
			f.NodeID[:8], f.ClusterID[:8], f.Format, f.Threshold, f.Shares)
	}
	if left := leftOver(s, f); len(left) > 0 {
		p.add(leftovers, Warning, "", "%s", strings.Join(left, ". "))
		return
	}
	p.ok(leftovers, "nothing is left of an init, a join or a recovery that was killed")
}

// leftOver says what each thing that a killed process left means.
func leftOver(s Server, f node.Folder) (left []string) {
	if f.Unfinished != "" && !s.Running {
		left = append(left, fmt.Sprintf("an init, a join or a recovery was killed and has left %s: the "+
			"next one removes it", f.Unfinished))
	}
	if f.Joining && !f.Member {
		left = append(left, "a join was begun and not finished: join again, and give the shares")
	}
	if n := len(f.Temporary); n > 0 && !s.Running {
		left = append(left, fmt.Sprintf("%d files are not whole, as %s: the next start removes them", n,
			filepath.Base(f.Temporary[0])))
	}
	return left
}
