package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// The other side of this protocol is internal/wrapper/helper.go of the node. Both refuse a field
// that they don't know: a program and a node that differ say so, and don't guess.

// maxRequest bounds what is read, in bytes.
const maxRequest = 64 << 10

// where says which key of which token it is, and what it takes to use it.
type where struct {
	Library string `json:"library"`          // path of the PKCS#11 module
	Token   string `json:"token,omitempty"`  // its label; one of both is there
	Serial  string `json:"serial,omitempty"` // its serial number
	Object  string `json:"object,omitempty"` // the key's label; one of both is there
	ID      []byte `json:"id,omitempty"`     // the key's CKA_ID
	PINFile string `json:"pin_file"`         // path of a file with the PIN of the token's user
}

// A request is one operation.
type request struct {
	where
	Do   string `json:"do"`   // "wrap" or "unwrap"
	Data []byte `json:"data"` // what to wrap, or what was wrapped
}

// An answer has either the data or an error, which holds no secret.
type answer struct {
	Data  []byte `json:"data,omitempty"`
	Error string `json:"error,omitempty"`
	PIN   bool   `json:"pin,omitempty"` // the error is about the PIN: asking again may lock the token
}

func readRequest(r io.Reader) (request, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxRequest+1))
	defer clear(text)
	switch {
	case err != nil:
		return request{}, err
	case len(text) > maxRequest:
		return request{}, fmt.Errorf("the request has more than %d bytes", maxRequest)
	}
	var q request
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return request{}, errors.New("what was read is no request of a node of this version")
	}
	return q, nil
}

func writeAnswer(w io.Writer, data []byte, err error) error {
	a := answer{Data: data}
	if err != nil {
		a = answer{Error: err.Error(), PIN: errors.As(err, new(pinError))}
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	defer clear(text)
	_, err = w.Write(text)
	return err
}

func (q request) serve() ([]byte, error) {
	if q.Do != "wrap" && q.Do != "unwrap" {
		return nil, fmt.Errorf("%q is no operation of this keyquorum-pkcs11", q.Do)
	}
	t, err := open(q.where, reading)
	if err != nil {
		return nil, err
	}
	defer t.close()
	key, err := t.find(q.where)
	if err != nil {
		return nil, err
	}
	if q.Do == "wrap" {
		return t.wrap(key, q.Data)
	}
	return t.unwrap(key, q.Data)
}

// line is what a node's configuration has of it, a URI by RFC 7512.
func (w where) line() string {
	text := "pkcs11:"
	if w.Token != "" {
		text += "token=" + escape(w.Token) + ";"
	}
	if w.Serial != "" {
		text += "serial=" + escape(w.Serial) + ";"
	}
	return text + "object=" + escape(w.Object) + "?module-path=" + escape(w.Library) +
		"&pin-source=" + escape(w.PINFile)
}

// escape leaves paths as they are read by people.
func escape(s string) string {
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(s))
}
