package wrapper

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A tokenKey is an AES key of 256 bits in a PKCS#11 token. Its library is in C, so another program
// uses it (helper.go).
type tokenKey struct {
	helper
	at tokenPlace
}

// A tokenPlace says which key of which token it is, as the helper is asked for it.
type tokenPlace struct {
	Library string `json:"library"`
	Token   string `json:"token,omitempty"`
	Serial  string `json:"serial,omitempty"`
	Object  string `json:"object,omitempty"`
	ID      []byte `json:"id,omitempty"`
	PINFile string `json:"pin_file"`
}

// maxAttribute bounds what names a token or a key, in bytes.
const maxAttribute = 64

// newTokenKey reads what stands behind "pkcs11:" in a URI by RFC 7512, with two options of ours:
//
//	token=LABEL;object=LABEL?module-path=FILE&pin-source=FILE&helper=FILE&env=NAME=VALUE
//
// A token may have serial=NUMBER instead of its label or beside it, and a key id=%01%02 likewise.
func newTokenKey(where string) (Key, error) {
	path, query, _ := strings.Cut(where, "?")
	names, err := attributes(path, ";", "token", "serial", "object", "id")
	if err != nil {
		return nil, err
	}
	options, err := attributes(query, "&", "module-path", "pin-source", "helper", "env")
	if err != nil {
		return nil, err
	}
	for name, values := range names {
		if len(values[0]) > maxAttribute {
			return nil, fmt.Errorf("%s has more than %d bytes", name, maxAttribute)
		}
	}
	k := tokenKey{
		helper: helper{path: options.Get("helper"), env: options["env"]},
		at: tokenPlace{Library: options.Get("module-path"), Token: names.Get("token"),
			Serial: names.Get("serial"), Object: names.Get("object"), ID: []byte(names.Get("id")),
			PINFile: strings.TrimPrefix(options.Get("pin-source"), "file:")},
	}
	if k.helper.path == "" {
		k.helper.path = besideUs("keyquorum-pkcs11")
	}
	return k, k.valid()
}

// besideUs is the path of a program that is in the same folder as this one.
func besideUs(name string) string {
	own, err := os.Executable()
	if err != nil {
		return filepath.Join("/usr/bin", name)
	}
	return filepath.Join(filepath.Dir(own), name)
}

func (k tokenKey) valid() error {
	switch {
	case k.at.Token == "" && k.at.Serial == "":
		return errors.New("it names no token: token=LABEL, or serial=NUMBER")
	case k.at.Object == "" && len(k.at.ID) == 0:
		return errors.New("it names no key: object=LABEL, or id=%01")
	}
	for what, file := range map[string]string{"module-path": k.at.Library,
		"pin-source": k.at.PINFile, "helper": k.helper.path} {
		if !filepath.IsAbs(file) {
			return fmt.Errorf("%s=%s: it needs the path of a file, which begins with /", what, file)
		}
	}
	for _, v := range k.helper.env {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
			return errors.New("env is NAME=VALUE, as in env=SOFTHSM2_CONF=/etc/softhsm/softhsm2.conf")
		}
	}
	return nil
}

// attributes reads NAME=VALUE with percent-encoded values. Only env may stand twice.
func attributes(text, separator string, known ...string) (url.Values, error) {
	all := url.Values{}
	for part := range strings.SplitSeq(text, separator) {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		value, err := url.PathUnescape(value)
		switch {
		case name == "pin-value":
			return nil, errors.New("a PIN must not stand in a configuration: put it into a file, and " +
				"name that by pin-source")
		case err != nil || value == "" || strings.ContainsRune(value, 0) && name != "id":
			return nil, fmt.Errorf("%s has no value that can be read", name)
		case !slices.Contains(known, name) || all.Has(name) && name != "env":
			return nil, fmt.Errorf("%q is nothing that is known here, or stands twice: %s", name,
				strings.Join(known, ", "))
		}
		all.Add(name, value)
	}
	return all, nil
}

func (tokenKey) Kind() string { return "pkcs11" }

// About is in ASCII, whatever people have called a token.
func (k tokenKey) About() string {
	var parts []string
	for _, p := range [][2]string{{"token", k.at.Token}, {"serial", k.at.Serial},
		{"object", k.at.Object}} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+url.PathEscape(p[1]))
		}
	}
	if len(k.at.ID) > 0 {
		parts = append(parts, "id="+hex.EncodeToString(k.at.ID))
	}
	return strings.Join(parts, ";")
}

func (k tokenKey) Files() []string { return []string{k.at.PINFile} }

// Check asks no token: that would be a login.
func (k tokenKey) Check() error {
	if err := k.helper.check(); err != nil {
		return err
	}
	if _, err := os.Stat(k.at.Library); err != nil {
		return fmt.Errorf("the token's library: %w", err)
	}
	pin, err := readSecret(k.at.PINFile)
	clear(pin)
	return err
}

func (k tokenKey) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	return k.helper.ask(ctx, tokenRequest{k.at, "wrap", key})
}

func (k tokenKey) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	key, err := k.helper.ask(ctx, tokenRequest{k.at, "unwrap", wrapped})
	if err != nil {
		return nil, err
	}
	return unwrapped(key)
}
