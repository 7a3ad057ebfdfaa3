package openapi

import (
	"reflect"
	"strings"
	"time"

	"keyquorum/httpapi/wire"
)

// A Form is what a body looks like: a schema of openapi.json, or one that is read from a Go type.
type Form struct {
	Name     string
	of       reflect.Type // nil: name is in openapi.json
	whatever bool         // an answer has it whatever its status
	media    string       // its type, where it is no JSON
}

var (
	// PlainText and Gzipped are bodies that are no JSON.
	PlainText = Form{Name: "text", media: "text/plain"}
	Gzipped   = Form{Name: "file", media: "application/gzip"}
)

// Named is the form of that name in openapi.json.
func Named(name string) Form { return Form{Name: name} }

// Typed is the form of what encoding/json makes of a T. Its name is the type's: vaultData is Vault.
func Typed[T any]() Form {
	t := reflect.TypeFor[T]()
	return Form{Name: schemaName(t), of: t}
}

func (f Form) Always() Form {
	f.whatever = true
	return f
}

func schemaName(t reflect.Type) string {
	name := strings.TrimSuffix(t.Name(), "Data")
	return strings.ToUpper(name[:1]) + name[1:]
}

// schemas are those of a document, by name.
type schemas map[string]object

// add puts the schema of f among the others, and those that it refers to.
func (s schemas) add(f Form, answer bool) {
	if f.of == nil || s[f.Name] != nil {
		return
	}
	properties, required := object{}, []string{}
	s[f.Name] = object{"type": "object", "properties": properties}
	for field := range f.of.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		properties[name] = s.of(field.Type, answer)
		if answer && options == "" {
			required = append(required, name)
		}
	}
	if len(required) > 0 {
		s[f.Name]["required"] = required
	}
}

// of is the schema of a value of type t.
func (s schemas) of(t reflect.Type, answer bool) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[wire.Life]():
		return object{"type": []string{"integer", "string"},
			"description": `seconds, or a duration: "720h"`}
	case reflect.TypeFor[wire.SecretText]():
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint:
		return object{"type": "integer"}
	case reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": "array", "items": s.of(t.Elem(), answer)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem(), answer)}
	case reflect.Pointer:
		return object{"anyOf": []object{s.of(t.Elem(), answer), {"type": "null"}}}
	case reflect.Struct:
		if t.Name() == "" {
			return object{"type": "object"}
		}
		s.add(Form{Name: schemaName(t), of: t}, answer)
		return schemaRef(schemaName(t))
	}
	panic("httpapi: no schema is known for " + t.String()) // a test makes the document
}

// enveloped is the schema of an answer in the operator plane's envelope, which shows each member of
// its data twice.
func (s schemas) enveloped(f Form) object {
	name := f.Name + "Answer"
	if s[name] == nil {
		envelope, data := s["Envelope"], s[f.Name]
		properties := object{}
		for _, part := range []object{envelope, data} {
			for member, schema := range part["properties"].(object) {
				properties[member] = schema
			}
		}
		properties["data"] = schemaRef(f.Name)
		s[name] = object{"type": "object", "properties": properties,
			"required": []string{"request_id", "data"}}
	}
	return schemaRef(name)
}

func schemaRef(name string) object { return ref("schemas", name) }

func ref(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }

// object is a JSON object of the document.
type object = map[string]any
