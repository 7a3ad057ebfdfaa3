package objects

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/reference"
)

// An object is what is printed of a secret or a key. Its JSON is ours, not the wire's: times are
// RFC 3339, and the parts of the id stand on their own.
type object struct {
	ID             string            `json:"id"`
	Vault          string            `json:"vault"` // URL
	Name           string            `json:"name"`
	Version        string            `json:"version,omitempty"` // absent in lists
	Value          *string           `json:"value,omitempty"`   // of a secret that was asked for
	ContentType    string            `json:"content_type,omitempty"`
	Type           string            `json:"type,omitempty"` // of a key: RSA, EC, oct
	Size           int               `json:"size,omitempty"` // bits of an RSA key
	Curve          string            `json:"curve,omitempty"`
	Operations     []string          `json:"operations,omitempty"`
	Exportable     bool              `json:"exportable,omitempty"`
	Enabled        bool              `json:"enabled"`
	NotBefore      *time.Time        `json:"not_before,omitempty"`
	Expires        *time.Time        `json:"expires,omitempty"`
	Created        *time.Time        `json:"created,omitempty"`
	Updated        *time.Time        `json:"updated,omitempty"`
	Deleted        *time.Time        `json:"deleted,omitempty"`
	ScheduledPurge *time.Time        `json:"scheduled_purge,omitempty"`
	RecoveryLevel  string            `json:"recovery_level,omitempty"`
	Managed        bool              `json:"managed,omitempty"` // it belongs to a certificate
	Tags           map[string]string `json:"tags,omitempty"`
}

// identified is an object of which the id is known; the rest is filled in.
func identified(kind reference.Kind, id string) object {
	o := object{ID: id}
	r, err := reference.Parse(kind, id)
	if err == nil {
		o.Vault, o.Name, o.Version = r.Vault, r.Name, r.Version
	}
	return o
}

// fieldsOf are the members that the JSON of a struct can have.
func fieldsOf(v any) (names []string) {
	t := reflect.TypeOf(v)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// answer is one object for whoever asked.
func (o object) answer() console.Answer {
	return console.Answer{Data: o, Table: o.table(), Lines: []string{o.ID}, Fields: fieldsOf(o)}
}

func (o object) table() console.Table {
	t := console.NewTable("Key", "Value")
	now := time.Now()
	for _, row := range []struct {
		name, value string
	}{
		{"Name", o.Name}, {"Version", o.Version}, {"Vault", o.Vault}, {"Value", o.shownValue()},
		{"Content type", o.ContentType}, {"Type", o.keyType()},
		{"Operations", strings.Join(o.Operations, ", ")},
		{"Enabled", yes(o.Enabled)}, {"Not before", moment(o.NotBefore, now)},
		{"Expires", moment(o.Expires, now)},
		{"Created", moment(o.Created, now)}, {"Updated", moment(o.Updated, now)},
		{"Deleted", moment(o.Deleted, now)}, {"Purged", moment(o.ScheduledPurge, now)},
		{"Tags", o.tagText()},
	} {
		if row.value != "" {
			t.Add(row.name, row.value)
		}
	}
	return t
}

// shownValue is the value where it is one line that can be seen, else what it is like.
func (o object) shownValue() string {
	switch {
	case o.Value == nil:
		return ""
	case *o.Value == "":
		return "(empty)"
	case strings.ContainsFunc(*o.Value, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Sprintf(
			"(%d bytes with line breaks or the like; --field=value prints them)",
			len(*o.Value),
		)
	}
	return *o.Value
}

func (o object) keyType() string {
	switch {
	case o.Curve != "":
		return o.Type + " " + o.Curve
	case o.Size > 0:
		return fmt.Sprintf("%s %d", o.Type, o.Size)
	}
	return o.Type
}

func (o object) tagText() string {
	var words []string
	for name, value := range o.Tags {
		words = append(words, name+"="+value)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// moment is a time for people: when it is, and how far that is from now.
func moment(t *time.Time, now time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC") + " (" + console.Ago(t, now) + ")"
}

// listed is a list of objects for whoever asked, by name.
func listed(all []object) console.Answer {
	slices.SortStableFunc(all, func(a, b object) int { return cmp.Compare(a.Name, b.Name) })
	t, now := console.NewTable("Name", "Enabled", "Updated", "Expires"), time.Now()
	var lines []string
	for _, o := range all {
		t.Add(o.Name, yes(o.Enabled), console.Ago(o.Updated, now), console.Ago(o.Expires, now))
		lines = append(lines, o.Name)
	}
	return console.Answer{Data: all, Table: t, Lines: lines, Fields: fieldsOf(object{})}
}

// listedVersions is a list of versions, the newest first.
func listedVersions(all []object) console.Answer {
	slices.SortStableFunc(
		all,
		func(a, b object) int { return timeOf(b.Created).Compare(timeOf(a.Created)) },
	)
	t, now := console.NewTable("Version", "Enabled", "Created", "Expires"), time.Now()
	var lines []string
	for _, o := range all {
		t.Add(o.Version, yes(o.Enabled), console.Ago(o.Created, now), console.Ago(o.Expires, now))
		lines = append(lines, o.Version)
	}
	return console.Answer{Data: all, Table: t, Lines: lines, Fields: fieldsOf(object{})}
}

// listedDeleted is a list of deleted objects.
func listedDeleted(all []object) console.Answer {
	a, now := listed(all), time.Now()
	a.Table = console.NewTable("Name", "Deleted", "Purged")
	for _, o := range all {
		a.Table.Add(o.Name, console.Ago(o.Deleted, now), console.Ago(o.ScheduledPurge, now))
	}
	return a
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// inUTC is a time of the SDK's, whose zone is this machine's.
func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}

// value is what a pointer of the SDK's points at, the zero value where it is nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func tagsOf(tags map[string]*string) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	plain := make(map[string]string, len(tags))
	for name, v := range tags {
		plain[name] = value(v)
	}
	return plain
}
