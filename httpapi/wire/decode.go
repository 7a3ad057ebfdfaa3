// Package wire has what both planes hear and say: JSON that is read without copies and bounded
// while it is read, JSON that is appended to pooled buffers, and refusals, which each plane writes
// in its own format. It knows no route and no node.
package wire

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

// Decode decodes a body into req, a pointer to a struct.
func Decode(body []byte, req any) error {
	hand, ok := req.(memberDecoder)
	var err error
	if ok {
		err = EachKnown(body, hand.Member)
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

// ErrUnknownMember is what a memberDecoder says to a name that it does not know.
var ErrUnknownMember = errors.New("unknown member")

// EachKnown is eachMember for a decoder that knows some names. Others are ignored, as in Azure, but
// for those that differ from a known one in case alone: whoever wrote "Enabled" meant something,
// and must not be told that it was done.
func EachKnown(body []byte, decode func(name, value []byte) error) error {
	return EachMember(body, func(name, value []byte) error {
		err := decode(name, value)
		if err != ErrUnknownMember {
			return err
		}
		known := usualSpelling(name)
		if known == string(name) || decode([]byte(known), []byte("null")) != nil {
			return nil
		}
		return BadParameter("Property " + known + " is written with other letters, as " +
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
	var f *Failure
	var kind *json.UnmarshalTypeError
	var unknown *unknownMember
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &unknown):
		return BadParameter(unknown.says)
	case errors.As(err, &kind):
		return InvalidProperty(kind.Field)
	default:
		return BadParameter("The request body has an invalid value.")
	}
}

// InvalidProperty is said of a member whose value can't be what it is to be.
func InvalidProperty(name string) *Failure {
	return BadParameter("Property " + name + " has invalid value")
}

// IsNull says whether a raw value is null.
func IsNull(value []byte) bool { return string(value) == "null" }

// TextBytes unquotes a JSON string inside its own bytes, so that no copy is left behind. The result
// is nil for null.
func TextBytes(name string, value []byte) ([]byte, error) {
	if IsNull(value) {
		return nil, nil
	}
	if value[0] != '"' {
		return nil, InvalidProperty(name)
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
		r, _ := Hex4(b[2:])
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		low, _ := Hex4(b[8:])
		return utf16.DecodeRune(r, low), 12
	default: // quote, backslash, slash
		return rune(b[1]), 2
	}
}
