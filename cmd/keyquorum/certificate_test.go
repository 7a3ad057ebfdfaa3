package main

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cmd/keyquorum/dev"
	"keyquorum/httpapi"
)

func devCertificates(t *testing.T, now time.Time) dev.Folder {
	t.Helper()
	folder := dev.Folder(t.TempDir())
	if err := folder.EnsureCertificates(now); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestCertificateIsReadAgainWhenItChanges(t *testing.T) {
	folder := devCertificates(t, time.Now())
	c, err := loadCertificate(folder.Path("tls.pem"), folder.Path("tls-key.pem"), nil,
		"https://localhost:8200", hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	first, _ := c.forHandshake(nil)

	renewed := devCertificates(t, time.Now())
	replace(t, renewed.Path("tls.pem"), folder.Path("tls.pem"))
	halfway, err := c.forHandshake(nil)
	if err != nil || !bytes.Equal(halfway.Certificate[0], first.Certificate[0]) {
		t.Errorf("with half of a renewal written, the old pair must stay in service (error %v)", err)
	}
	replace(t, renewed.Path("tls-key.pem"), folder.Path("tls-key.pem"))
	second, err := c.forHandshake(nil)
	if err != nil || bytes.Equal(second.Certificate[0], first.Certificate[0]) {
		t.Errorf("the renewed pair is not in service (error %v)", err)
	}
}

// replace moves a file over another with a time of its own, as a renewal does.
func replace(t *testing.T, from, to string) {
	t.Helper()
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(from, later, later); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestDevCertificateFitsEveryName(t *testing.T) {
	now := time.Now()
	folder := devCertificates(t, now)
	c, err := loadCertificate(folder.Path("tls.pem"), folder.Path("tls-key.pem"), nil,
		"https://localhost:8200", hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(folder.Path("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for _, name := range []string{"demo.vault.localhost", "login.localhost", "localhost", "127.0.0.1",
		"::1"} {
		if _, err := c.current.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.current.Leaf.Verify(x509.VerifyOptions{DNSName: "example.org",
		Roots: roots}); err == nil {
		t.Error("the dev certificate is good for example.org")
	}
}

func TestDevCertificatesStayUntilTheyAgeAndKeepTheirKeyPrivate(t *testing.T) {
	now := time.Now()
	folder := devCertificates(t, now)
	read := func() []byte {
		b, err := os.ReadFile(folder.Path("tls.pem"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := read()
	if err := folder.EnsureCertificates(now.Add(300 * 24 * time.Hour)); err != nil ||
		!bytes.Equal(read(), first) {
		t.Errorf("a good pair was replaced (error %v)", err)
	}
	if err := folder.EnsureCertificates(now.Add(390 * 24 * time.Hour)); err != nil ||
		bytes.Equal(read(), first) {
		t.Errorf("a pair near its end was kept (error %v)", err)
	}
	info, err := os.Stat(folder.Path("tls-key.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v (error %v), want 0600", info.Mode(), err)
	}
	if keys, _ := filepath.Glob(folder.Path("*key*")); len(keys) != 1 {
		t.Errorf("the folder holds keys %q; the authority's must never be written", keys)
	}
}

// TestUncoveredHostsAreNamed: what clients would refuse, whoever starts the node reads.
func TestUncoveredHostsAreNamed(t *testing.T) {
	folder := devCertificates(t, time.Now())
	for _, row := range []struct {
		zone  httpapi.Zone
		warns []string
	}{
		{httpapi.Zone{Suffix: dev.Suffix, Login: dev.Login}, nil},
		{httpapi.Zone{Suffix: dev.Suffix, Login: "login.example.org"},
			[]string{"host=login.example.org"}},
		{httpapi.Zone{Suffix: "vault.example.org", Login: dev.Login},
			[]string{`host="*.vault.example.org"`}},
		{httpapi.Zone{Suffix: "example.org", Login: "login.example.org"},
			[]string{"host=login.example.org", `host="*.example.org"`}},
	} {
		var log bytes.Buffer
		logger := hclog.New(&hclog.LoggerOptions{Output: &log})
		if _, err := loadCertificate(folder.Path("tls.pem"), folder.Path("tls-key.pem"),
			[]httpapi.Zone{row.zone}, "https://localhost:8200", logger); err != nil {
			t.Fatal(err)
		}
		if strings.Count(log.String(), "[WARN]") != len(row.warns) {
			t.Errorf("%+v: want %d warnings, have %s", row.zone, len(row.warns), &log)
		}
		for _, host := range row.warns {
			if !strings.Contains(log.String(), host) {
				t.Errorf("%+v: no warning names %s: %s", row.zone, host, &log)
			}
		}
	}
}

// What clients would refuse because of its dates, or its name, whoever starts the node reads as
// well, and whoever keeps it running once a day.
func TestEndAndAddressOfTheCertificate(t *testing.T) {
	for _, row := range []struct {
		name    string
		made    time.Duration // ago
		address string
		says    []string
	}{
		{"a new one", 0, "https://127.0.0.1:8200", nil},
		{"ended", 500 * 24 * time.Hour, "https://127.0.0.1:8200",
			[]string{"[ERROR]", "has ended", "tls.pem", "ended="}},
		{"soon", 390 * 24 * time.Hour, "https://127.0.0.1:8200",
			[]string{"[WARN]", "ends soon", "ends="}},
		{"not yet", -48 * time.Hour, "https://127.0.0.1:8200", []string{"[ERROR]", "not good yet"}},
		{"another host", 0, "https://10.1.2.3:8200", []string{"[WARN]", "--api-addr", "host=10.1.2.3"}},
	} {
		folder := devCertificates(t, time.Now().Add(-row.made))
		var log bytes.Buffer
		c, err := loadCertificate(folder.Path("tls.pem"), folder.Path("tls-key.pem"), nil, row.address,
			hclog.New(&hclog.LoggerOptions{Output: &log}))
		if err != nil {
			t.Fatal(err)
		}
		said := log.String()
		if len(row.says) == 0 && said != "" {
			t.Errorf("%s: %s", row.name, said)
		}
		for _, word := range row.says {
			if !strings.Contains(said, word) {
				t.Errorf("%s: %q is not in %s", row.name, word, said)
			}
		}
		for range 100 {
			_, _ = c.forHandshake(nil)
		}
		if log.String() != said {
			t.Errorf("%s: it is said at each connection: %s", row.name, log.String())
		}
		if c.end().IsZero() || time.Until(c.end()) > 400*24*time.Hour {
			t.Errorf("%s: it ends %v", row.name, c.end())
		}
	}
}
