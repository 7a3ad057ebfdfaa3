package mover

import (
	"context"
	"maps"
	"time"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"keyquorum/cmd/keyquorum/reference"
)

// A source is where things come from. It writes nothing.
type source interface {
	// name is what people call it.
	name() string
	// look finds all things. It may read values, to measure them, and keeps none.
	look(ctx context.Context, p *progress) ([]*thing, error)
}

// A thing is a secret or a key of a source.
type thing struct {
	kind     reference.Kind
	name     string    // at the destination
	from     string    // the source's name of it, without a version
	versions []version // that can be moved, the oldest first
	left     []string  // what of it stays behind, for people
	obstacle *obstacle // why nothing of it can be moved; nil: it can
	// newest finds the origin of the newest version, where the order of those with the same moment
	// is not known; nil: it is known.
	newest func(context.Context) (string, error)
	policy *azkeys.KeyRotationPolicy // of a key that is made anew; nil: none
}

// A version is one of a thing's.
type version struct {
	origin     string // what the tag says of it
	moment     int64  // grows from version to version; equal where the source does not tell
	unnumbered bool   // the source keeps no versions, so another value may have the same origin
	attributes attributes
	read       func(context.Context) (content, error)
}

// attributes are what goes along with a value. The tags are without our own.
type attributes struct {
	contentType        string
	tags               map[string]string
	notBefore, expires *time.Time
}

// content is what a version holds: a secret's text, or a key.
type content struct {
	text text
	key  *azkeys.JSONWebKey
	anew *azkeys.CreateKeyParameters // of a key that is made in the place of one that stays there
}

// A text is the value of a secret. No way of printing shows it, nor what holds it.
type text struct{ hidden *string }

func hide(s string) text      { return text{&s} }
func (t text) reveal() string { return *t.hidden }
func (text) String() string   { return "[redacted]" }
func (text) GoString() string { return "[redacted]" }

// An obstacle is why something is not moved, and what to do about it.
type obstacle struct{ why, advice string }

// Limits of the destination, which are Azure's.
const (
	maxValue       = 25_600 // bytes
	maxName        = 127
	maxTags        = 15
	maxTag         = 256 // characters of a name, and of a value
	maxContentType = 255 // characters
)

// maxThings bounds what is moved at once: a plan has to be read, and fits into memory.
const maxThings = 50_000

// whyNot says why a vault would not take the attributes; one tag is ours.
func (a attributes) whyNot() *obstacle {
	if n := len(a.tags); n > maxTags-1 {
		return &obstacle{count(n, "tag") + ", and 14 fit beside where it came from", adviceTags}
	}
	for name, value := range a.tags {
		if name == "" || utf8.RuneCountInString(name) > maxTag ||
			utf8.RuneCountInString(value) > maxTag {
			return &obstacle{"a tag of more than 256 characters, or without a name", adviceTags}
		}
	}
	if utf8.RuneCountInString(a.contentType) > maxContentType {
		return &obstacle{"a content type of more than 255 characters", ""}
	}
	return nil
}

// differences names what is not the same.
func (a attributes) differences(b attributes) (names []string) {
	if a.contentType != b.contentType {
		names = append(names, "content type")
	}
	if !maps.Equal(a.tags, b.tags) {
		names = append(names, "tags")
	}
	if !sameTime(a.notBefore, b.notBefore) {
		names = append(names, "not before")
	}
	if !sameTime(a.expires, b.expires) {
		names = append(names, "expires")
	}
	return names
}

// sameTime compares as the wire does, in seconds.
func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Unix() == b.Unix()
}
