package mover

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A value is what a secret is set to.
type value struct {
	text        text
	contentType string
}

const typeJSON = "application/json"

// valueOf is the value of a field of Vault's, or of all fields as JSON for "". why says why it is
// none that a secret can have, with nothing of it.
func valueOf(data map[string]json.RawMessage, field string) (v value, why string) {
	if field == "" {
		var all bytes.Buffer
		e := json.NewEncoder(&all)
		e.SetEscapeHTML(false)
		if e.Encode(data) != nil {
			return v, "it can't be written as JSON"
		}
		return asJSON(all.Bytes())
	}
	raw, ok := data[field]
	if !ok {
		return v, "it lacks the field"
	}
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0, string(raw) == "null":
		return v, "its value is null"
	case raw[0] == '{', raw[0] == '[':
		return asJSON(raw)
	case raw[0] == '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return v, "its value is no JSON"
		}
		v.text = hide(s)
	default: // a number or a truth value, as it was written
		v.text = hide(string(raw))
	}
	return v, unfit(v.text.reveal())
}

func asJSON(raw []byte) (v value, why string) {
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return v, "its value is no JSON"
	}
	var inside any
	if json.Unmarshal(raw, &inside) != nil {
		return v, "its value is no JSON"
	}
	if damaged(inside) {
		return v, notText
	}
	v = value{hide(compact.String()), typeJSON}
	return v, unfit(compact.String())
}

const notText = "it holds bytes that are no text"

// unfit says why a text can't be the value of a secret, with nothing of it; "" where it can.
func unfit(value string) string {
	switch {
	case len(value) > maxValue:
		return fmt.Sprintf("%d bytes, and a secret holds 25,600", len(value))
	case !isText(value):
		return notText
	}
	return ""
}

// isText says whether nothing was lost when the text was stored: what is no UTF-8 becomes U+FFFD in
// JSON, and nobody knows what it was.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, utf8.RuneError)
}

// damaged says whether some text in a JSON value is none.
func damaged(v any) bool {
	switch v := v.(type) {
	case string:
		return !isText(v)
	case []any:
		for _, item := range v {
			if damaged(item) {
				return true
			}
		}
	case map[string]any:
		for name, item := range v {
			if !isText(name) || damaged(item) {
				return true
			}
		}
	}
	return false
}
