package audit

import (
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxField cuts a field to this many bytes before escaping. No valid name, id or address comes
	// near it; what a refused request carried in its path does.
	maxField = 512
	// maxClientRequest is the number of characters kept of a client's own request id.
	maxClientRequest = 64
)

// appendLine appends the entry's line with its newline. docs/formats-storage.md has the format.
func appendLine(b []byte, e *Entry) []byte {
	b = append(b, `{"time":"`...)
	b = e.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	b = append(b, '"')
	b = appendField(b, `,"request_id":"`, e.RequestID)
	b = appendField(b, `,"node":"`, e.Node)
	b = appendField(b, `,"plane":"`, e.Plane)
	b = appendField(b, `,"oid":"`, e.OID)
	b = appendField(b, `,"appid":"`, e.AppID)
	b = appendField(b, `,"accessor":"`, e.Accessor)
	b = appendField(b, `,"remote":"`, e.Remote)
	b = appendField(b, `,"via":"`, e.Via)
	b = appendField(b, `,"operation":"`, e.Operation)
	b = appendField(b, `,"vault":"`, e.Vault)
	b = appendField(b, `,"object":"`, e.Object)
	b = appendField(b, `,"version":"`, e.Version)
	b = appendField(b, `,"with":"`, e.With)
	b = appendField(b, `,"subject_oid":"`, e.SubjectOID)
	b = appendField(b, `,"subject_appid":"`, e.SubjectAppID)
	b = appendField(b, `,"detail":"`, e.Detail)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = appendField(b, `,"code":"`, e.Code)
	b = append(b, `,"duration_us":`...)
	b = strconv.AppendInt(b, int64(e.Duration/time.Microsecond), 10)
	b = appendClientRequest(b, e.ClientRequest)
	return append(b, "}\n"...)
}

// appendField appends a string member, or nothing when the value is empty. open is everything up to
// the value.
func appendField(b []byte, open, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, open...)
	if len(value) > maxField {
		return append(appendEscaped(b, value[:maxField]), `\u2026"`...)
	}
	return append(appendEscaped(b, value), '"')
}

// appendEscaped leaves printable ASCII as it is and escapes the rest: a line is then ASCII without
// control characters, so nothing that a client sends can end it, hide in it or move a terminal's
// cursor. Invalid UTF-8 becomes U+FFFD.
func appendEscaped(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
			i++
		case printable(c):
			b = append(b, c)
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			b = appendRune(b, r)
			i += size
		}
	}
	return b
}

func printable(c byte) bool { return c >= ' ' && c <= '~' }

// appendRune appends \uXXXX, twice for what lies beyond 16 bits (RFC 8259 section 7).
func appendRune(b []byte, r rune) []byte {
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		return appendRune(appendRune(b, high), low)
	}
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// appendClientRequest keeps the first 64 printable characters of the client's id and drops
// everything else.
func appendClientRequest(b []byte, s string) []byte {
	var kept [maxClientRequest]byte
	n := 0
	for i := 0; i < len(s) && n < len(kept); i++ {
		if printable(s[i]) {
			kept[n] = s[i]
			n++
		}
	}
	if n == 0 {
		return b
	}
	b = append(b, `,"client_request_id":"`...)
	for _, c := range kept[:n] {
		if c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"')
}
