package httpapi

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"keyquorum/vault"
)

// Answers of the application plane are appended by hand to a pooled buffer: no reflection, no
// map[string]any.

// appendString appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString[T ~string | ~[]byte](dst []byte, s T) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			n := runeLen(s, i)
			if n > 0 {
				i += n
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
		} else {
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			}
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// runeLen is the length of the UTF-8 sequence at s[i:], 0 if it is none.
func runeLen[T ~string | ~[]byte](s T, i int) int {
	var b [utf8.UTFMax]byte
	n := copy(b[:], s[i:min(len(s), i+utf8.UTFMax)])
	r, size := utf8.DecodeRune(b[:n])
	if r == utf8.RuneError && size <= 1 {
		return 0
	}
	return size
}

// appendBinary appends bytes as base64url without padding, the encoding of nearly all binary
// members.
func appendBinary(dst []byte, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.RawURLEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// appendID appends the URL of an object without its closing quote; version "" is left out. Names
// are letters, digits and hyphens; authority was checked by placeOf.
func appendID(dst []byte, authority, collection, name, version string) []byte {
	dst = append(dst, `"https://`...)
	dst = append(dst, authority...)
	dst = append(dst, '/')
	dst = append(dst, collection...)
	dst = append(dst, '/')
	dst = append(dst, name...)
	if version != "" {
		dst = append(dst, '/')
		dst = append(dst, version...)
	}
	return append(dst, '"')
}

// appendAttributes appends the member "attributes" with its comma before it. extra is more of its
// members, or "".
func appendAttributes(dst []byte, a *vault.Attributes, extra string) []byte {
	dst = append(dst, `,"attributes":{"enabled":`...)
	dst = strconv.AppendBool(dst, a.Enabled)
	if a.NotBefore != nil {
		dst = appendInt(append(dst, `,"nbf":`...), *a.NotBefore)
	}
	if a.Expires != nil {
		dst = appendInt(append(dst, `,"exp":`...), *a.Expires)
	}
	dst = appendInt(append(dst, `,"created":`...), a.Created)
	dst = appendInt(append(dst, `,"updated":`...), a.Updated)
	dst = append(dst, `,"recoveryLevel":`...)
	dst = appendString(dst, a.RecoveryLevel)
	dst = appendInt(append(dst, `,"recoverableDays":`...), int64(a.RecoverableDays))
	dst = append(dst, extra...)
	return append(dst, '}')
}

// appendTags appends the member "tags", if there are any, in the order of their names.
func appendTags(dst []byte, tags map[string]string) []byte {
	if len(tags) == 0 {
		return dst
	}
	dst = append(dst, `,"tags":{`...)
	for i, name := range slices.Sorted(maps.Keys(tags)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name)
		dst = append(dst, ':')
		dst = appendString(dst, tags[name])
	}
	return append(dst, '}')
}

// appendDeletion appends what a deleted object has beside the rest.
func appendDeletion(dst []byte, d *vault.Deletion, authority, collection, name string) []byte {
	if d == nil {
		return dst
	}
	dst = append(dst, `,"recoveryId":`...)
	dst = appendID(dst, authority, "deleted"+collection, name, "")
	dst = appendInt(append(dst, `,"deletedDate":`...), d.Deleted)
	return appendInt(append(dst, `,"scheduledPurgeDate":`...), d.Purge)
}
