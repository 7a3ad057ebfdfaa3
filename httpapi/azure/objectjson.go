package azure

import (
	"maps"
	"slices"
	"strconv"

	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

// Answers of the application plane are appended by hand to a pooled buffer: no reflection, no
// map[string]any.

// appendID appends the URL of an object without its closing quote; version "" is left out. Names
// are letters, digits and hyphens; authority was checked by hosts.
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
		dst = wire.AppendInt(append(dst, `,"nbf":`...), *a.NotBefore)
	}
	if a.Expires != nil {
		dst = wire.AppendInt(append(dst, `,"exp":`...), *a.Expires)
	}
	dst = wire.AppendInt(append(dst, `,"created":`...), a.Created)
	dst = wire.AppendInt(append(dst, `,"updated":`...), a.Updated)
	dst = append(dst, `,"recoveryLevel":`...)
	dst = wire.AppendString(dst, a.RecoveryLevel)
	dst = wire.AppendInt(append(dst, `,"recoverableDays":`...), int64(a.RecoverableDays))
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
		dst = wire.AppendString(dst, name)
		dst = append(dst, ':')
		dst = wire.AppendString(dst, tags[name])
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
	dst = wire.AppendInt(append(dst, `,"deletedDate":`...), d.Deleted)
	return wire.AppendInt(append(dst, `,"scheduledPurgeDate":`...), d.Purge)
}
