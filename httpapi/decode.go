package httpapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A memberDecoder is a request that reads its members by hand: the application plane's do, since
// json.Unmarshal would leave copies of secrets in strings, and costs more than the rest of the
// request. value is a complete, valid JSON value; it is the request's to change and dies with the
// call. null leaves all as it was.
type memberDecoder interface {
	member(name, value []byte) error
}

// decode reads the body and decodes it into req, a pointer to a struct. What is done with members
// that it does not know is said in unknown.go.
func (c *call) decode(req any) error {
	if c.route.body == 0 {
		return nil
	}
	if _, ok := req.(*none); ok {
		return nil
	}
	if err := c.readBody(); err != nil {
		return err
	}
	return decodeBody(*c.body, req)
}

func decodeBody(body []byte, req any) error {
	hand, ok := req.(memberDecoder)
	var err error
	if ok {
		err = eachKnown(body, hand.member)
	} else {
		err = onlyKnown(body, reflect.TypeOf(req).Elem())
	}
	if later, ok := req.(laterRefuser); ok && errors.As(err, new(*unknownMember)) {
		later.refuseLater(err)
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

// textValue sets a string; null leaves it.
func textValue(name string, value []byte, into *string) error {
	b, err := textBytes(name, value)
	if b != nil {
		*into = string(b)
	}
	return err
}

// optionalText sets a pointer; null leaves it nil, which means not supplied.
func optionalText(name string, value []byte, into **string) error {
	b, err := textBytes(name, value)
	if b != nil {
		s := string(b)
		*into = &s
	}
	return err
}

func boolValue(name string, value []byte, into **bool) error {
	switch string(value) {
	case "true", "false":
		b := value[0] == 't'
		*into = &b
	case "null":
	default:
		return invalidProperty(name)
	}
	return nil
}

// intValue takes JSON integers. 1.0 and 1e3 are not: they would have to be given back as they came.
func intValue(name string, value []byte, into **int64) error {
	if isNull(value) {
		return nil
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return invalidProperty(name)
	}
	*into = &n
	return nil
}

// textList decodes an array of strings; null leaves nil.
func textList(name string, value []byte, into *[]string) error {
	if err := json.Unmarshal(value, into); err != nil {
		return invalidProperty(name)
	}
	return nil
}

// textMap decodes an object of strings; null leaves nil. Members that are null are left out, as
// Go's SDK may send them. An object of nothing else is refused: it would empty what it seems to
// leave.
func textMap(name string, value []byte, into *map[string]string) error {
	if isNull(value) {
		return nil
	}
	if value[0] != '{' {
		return invalidProperty(name)
	}
	m := make(map[string]*string)
	if err := json.Unmarshal(value, &m); err != nil {
		return invalidProperty(name)
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		if v != nil {
			out[k] = *v
		}
	}
	if len(out) == 0 && len(m) > 0 {
		return badParameter("Property " + name + " has members, and all of them are null.")
	}
	*into = out
	return nil
}

// binaryValue decodes base64url in place. Clients are known to pad it, and to use the standard
// alphabet.
func binaryValue(name string, value []byte, into *[]byte) error {
	b, err := textBytes(name, value)
	if err != nil || b == nil {
		return err
	}
	b = bytes.TrimRight(b, "=")
	for i, c := range b {
		switch c {
		case '+':
			b[i] = '-'
		case '/':
			b[i] = '_'
		case '\r', '\n':
			return invalidProperty(name) // the decoder would skip them
		}
	}
	n, err := base64.RawURLEncoding.Decode(b, b)
	if err != nil {
		return invalidProperty(name)
	}
	*into = b[:n:n]
	return nil
}
