package wire

import (
	"encoding/json"
	"reflect"
	"strings"
)

// A body that stands for all of something (a grant, a policy, what a new vault is) is refused when
// it has a member that nobody knows: whoever misspells one must not lose what was there. So is
// every body of the operator plane. Of the application plane's that is the rotation policy alone,
// of which Azure, too, forgets what a request does not name; the others change what they name, and
// what they don't know is ignored there as Azure ignores it.

// An unknownMember says which member nobody knows, and which ones there are.
type unknownMember struct{ says string }

func (e *unknownMember) Error() string { return e.says }

// A laterRefuser is a request of the application plane, where what a body means is looked at last:
// after the vault, the caller's rights and the object.
type laterRefuser interface{ RefuseLater(why error) }

// onlyKnown checks a body whose members are those of a struct, down to the last, as encoding/json
// finds them.
func onlyKnown(body []byte, of reflect.Type) error {
	return EachMember(body, func(name, value []byte) error {
		field, ok := fieldCalled(string(name), of)
		if !ok {
			return &unknownMember{"Property " + Printable(string(name)) +
				" is not known: the body may have " + strings.Join(fieldNames(of), ", ") + "."}
		}
		return onlyKnownIn(value, field)
	})
}

// onlyKnownIn looks into what may have members. What is of another shape the decoder refuses.
func onlyKnownIn(value []byte, of reflect.Type) error {
	switch {
	case of.Kind() == reflect.Struct && value[0] == '{':
		return onlyKnown(value, of)
	case of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Struct && value[0] == '[':
		var elements []json.RawMessage
		if err := json.Unmarshal(value, &elements); err != nil {
			return errSyntax
		}
		for _, e := range elements {
			if err := onlyKnownIn(e, of.Elem()); err != nil {
				return err
			}
		}
	}
	return nil
}

func fieldCalled(name string, of reflect.Type) (reflect.Type, bool) {
	for field := range of.Fields() {
		if tag := jsonName(field); tag != "" && strings.EqualFold(tag, name) {
			return field.Type, true
		}
	}
	return nil, false
}

func fieldNames(of reflect.Type) (names []string) {
	for field := range of.Fields() {
		if tag := jsonName(field); tag != "" {
			names = append(names, tag)
		}
	}
	return names
}

// jsonName is "" for a field that is no member.
func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}
