package wrapper

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// A place is where a service has a key: an address, a path, and options behind a "?", most of which
// name files.
type place struct {
	base     *url.URL // scheme and host
	segments []string // of the path
	options  url.Values
}

// parsePlace takes https, or http on this machine alone, and the options that are named.
func parsePlace(where string, options ...string) (place, error) {
	u, err := url.Parse(where)
	if err != nil {
		return place{}, fmt.Errorf("%q is no URL", where)
	}
	ip, _ := netip.ParseAddr(u.Hostname())
	local := ip.IsLoopback() || u.Hostname() == "localhost"
	if u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" &&
		(u.Scheme != "http" || !local) {
		return place{}, fmt.Errorf("%s is no https URL of a key", u.Redacted())
	}
	p := place{base: &url.URL{Scheme: u.Scheme, Host: u.Host}}
	if clean := path.Clean("/" + u.Path); clean != "/" {
		p.segments = strings.Split(clean[1:], "/")
	}
	if p.options, err = url.ParseQuery(u.RawQuery); err != nil {
		return place{}, fmt.Errorf("%s: its options can't be read", where)
	}
	for name, values := range p.options {
		if !slices.Contains(options, name) || len(values) != 1 || values[0] == "" {
			return place{}, fmt.Errorf("%q is no option here, or stands twice: %s", name,
				strings.Join(options, ", "))
		}
	}
	return p, nil
}

// files are those that the options name.
func (p place) files(names ...string) (files []string) {
	for _, name := range names {
		if file := p.options.Get(name); file != "" {
			files = append(files, file)
		}
	}
	return files
}

// client trusts the authorities in the file of the option ca, or the machine's. It follows no
// redirect: a credential is for the service that was named.
func (p place) client() (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := p.options.Get("ca"); file != "" {
		text, err := readSecret(file)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no PEM certificate", file)
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSClientConfig:     config,
			TLSHandshakeTimeout: 5 * time.Second,
			ForceAttemptHTTP2:   true,
			DisableKeepAlives:   true, // the next call is hours or months away
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
