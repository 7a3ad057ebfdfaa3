package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A memberDecoder is a request that reads its members by hand: the application plane's do, since
// json.Unmarshal would leave copies of secrets in strings, and costs more than the rest of the
// request. value is a complete, valid JSON value; it is the request's to change and dies with the
// call. null leaves all as it was.
type memberDecoder interface {
	Member(name, value []byte) error
}

func decodeBody(body []byte, req any) error {
	hand, ok := req.(memberDecoder)
	var err error
	if ok {
		err = eachKnown(body, hand.Member)
	} else {
		err = onlyKnown(body, reflect.TypeOf(req).Elem())
	}
	if later, ok := req.(laterRefuser); ok && errors.As(err, new(*unknownMember)) {
		later.RefuseLater(err)
		err = nil
	}
	if err != nil {
		return bodyError(err)
	}
	if ok || len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, req); err != nil {
		return bodyError(err)
	}
	return nil
}

// errUnknownMember is what a memberDecoder says to a name that it does not know.
var errUnknownMember = errors.New("unknown member")

// eachKnown is eachMember for a decoder that knows some names. Others are ignored, as in Azure, but
// for those that differ from a known one in case alone: whoever wrote "Enabled" meant something,
// and must not be told that it was done.
func eachKnown(body []byte, decode func(name, value []byte) error) error {
	return eachMember(body, func(name, value []byte) error {
		err := decode(name, value)
		if err != errUnknownMember {
			return err
		}
		known := usualSpelling(name)
		if known == string(name) || decode([]byte(known), []byte("null")) != nil {
			return nil
		}
		return badParameter("Property " + known + " is written with other letters, as " +
			string(name) + ".")
	})
}

// usualSpelling is how a member is written whose name is the same but for case.
func usualSpelling(name []byte) string {
	lower := strings.ToLower(string(name))
	switch lower {
	case "contenttype":
		return "contentType"
	default:
		return lower
	}
}

// bodyError never repeats a value: it may be a secret.
func bodyError(err error) error {
	var f *failure
	var kind *json.UnmarshalTypeError
	var unknown *unknownMember
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &unknown):
		return badParameter(unknown.says)
	case errors.As(err, &kind):
		return invalidProperty(kind.Field)
	default:
		return badParameter("The request body has an invalid value.")
	}
}

func invalidProperty(name string) *failure {
	return badParameter("Property " + name + " has invalid value")
}

func isNull(value []byte) bool { return string(value) == "null" }

// textBytes unquotes a JSON string inside its own bytes, so that no copy is left behind. The result
// is nil for null.
func textBytes(name string, value []byte) ([]byte, error) {
	if isNull(value) {
		return nil, nil
	}
	if value[0] != '"' {
		return nil, invalidProperty(name)
	}
	return unquote(value[1 : len(value)-1]), nil
}

// unquote replaces the escapes of b, which a scanner has found valid, in place: none is shorter
// than what it stands for.
func unquote(b []byte) []byte {
	out := bytes.IndexByte(b, '\\')
	if out < 0 {
		return b
	}
	for i := out; i < len(b); {
		if b[i] != '\\' {
			b[out] = b[i]
			i, out = i+1, out+1
			continue
		}
		r, n := escaped(b[i:])
		out += utf8.EncodeRune(b[out:], r)
		i += n
	}
	return b[:out]
}

// escaped decodes the escape that b begins with.
func escaped(b []byte) (r rune, n int) {
	switch b[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, _ := hex4(b[2:])
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		low, _ := hex4(b[8:])
		return utf16.DecodeRune(r, low), 12
	default: // quote, backslash, slash
		return rune(b[1]), 2
	}
}
