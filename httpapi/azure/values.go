package azure

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"

	"keyquorum/httpapi/wire"
)

// textValue sets a string; null leaves it.
func textValue(name string, value []byte, into *string) error {
	b, err := wire.TextBytes(name, value)
	if b != nil {
		*into = string(b)
	}
	return err
}

// optionalText sets a pointer; null leaves it nil, which means not supplied.
func optionalText(name string, value []byte, into **string) error {
	b, err := wire.TextBytes(name, value)
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
		return wire.InvalidProperty(name)
	}
	return nil
}

// intValue takes JSON integers. 1.0 and 1e3 are not: they would have to be given back as they came.
func intValue(name string, value []byte, into **int64) error {
	if wire.IsNull(value) {
		return nil
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return wire.InvalidProperty(name)
	}
	*into = &n
	return nil
}

// textList decodes an array of strings; null leaves nil.
func textList(name string, value []byte, into *[]string) error {
	if err := json.Unmarshal(value, into); err != nil {
		return wire.InvalidProperty(name)
	}
	return nil
}

// textMap decodes an object of strings; null leaves nil. Members that are null are left out, as
// Go's SDK may send them. An object of nothing else is refused: it would empty what it seems to
// leave.
func textMap(name string, value []byte, into *map[string]string) error {
	if wire.IsNull(value) {
		return nil
	}
	if value[0] != '{' {
		return wire.InvalidProperty(name)
	}
	m := make(map[string]*string)
	if err := json.Unmarshal(value, &m); err != nil {
		return wire.InvalidProperty(name)
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		if v != nil {
			out[k] = *v
		}
	}
	if len(out) == 0 && len(m) > 0 {
		return wire.BadParameter("Property " + name + " has members, and all of them are null.")
	}
	*into = out
	return nil
}

// binaryValue decodes base64url in place. Clients are known to pad it, and to use the standard
// alphabet.
func binaryValue(name string, value []byte, into *[]byte) error {
	b, err := wire.TextBytes(name, value)
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
			return wire.InvalidProperty(name) // the decoder would skip them
		}
	}
	n, err := base64.RawURLEncoding.Decode(b, b)
	if err != nil {
		return wire.InvalidProperty(name)
	}
	*into = b[:n:n]
	return nil
}

// smallInt sets an int that fits 32 bits; null leaves it.
func smallInt(name string, value []byte, into *int) error {
	var n *int64
	if err := intValue(name, value, &n); err != nil || n == nil {
		return err
	}
	if int64(int32(*n)) != *n {
		return wire.InvalidProperty(name)
	}
	*into = int(*n)
	return nil
}

// givenInt is smallInt for numbers of which zero means to the domain that none is given: a zero
// that is given is none of them either.
func givenInt(name string, value []byte, into *int) error {
	err := smallInt(name, value, into)
	if *into == 0 && !wire.IsNull(value) {
		*into = -1
	}
	return err
}
