package settings

import (
	"fmt"

	"github.com/hashicorp/hcl/hcl/ast"
)

// A list is a stanza that may be there several times: each is an element of one of our settings.
type list struct {
	name string   // of our setting
	keys []string // that the stanza may have
}

var joinPlaces = list{"retry_join", []string{"leader_api_addr", "dns_name", "auto_join_port",
	"leader_ca_cert_file", "leader_tls_servername"}}

// lists are such stanzas, by their names and labels.
var lists = map[string]list{
	"retry_join":              joinPlaces,
	ownStanza + ".retry_join": joinPlaces,
	"storage.raft.retry_join": joinPlaces,
}

// element takes one stanza of a list. Its value is a map[string]any, as JSON has an object.
func (r *reader) element(at Place, path string, of list, object *ast.ObjectType) {
	fields, first := map[string]any{}, map[string]Place{}
	for _, item := range object.List.Items {
		here := r.pos(item.Pos())
		key, err := keyOf(item)
		if err != nil {
			r.refuse(here, fmt.Sprintf("a name can't be read: %v", err), "")
			continue
		}
		if before, twice := first[key]; twice {
			r.refuse(here, fmt.Sprintf("%s.%s is said twice", path, key),
				fmt.Sprintf("line %d says it already: keep one of the two", before.Line))
			continue
		}
		first[key] = here
		if value, ok := r.field(here, path, key, of, item.Val); ok {
			fields[key] = value
		}
	}
	for i, s := range r.read {
		if all, isStanzas := stanzasOf(s); isStanzas && s.Key == path {
			r.read[i].Value = append(all, any(fields))
			return
		}
	}
	r.take(Setting{at, of.name, path, []any{fields}})
}

// stanzasOf are those of which a setting was made.
func stanzasOf(s Setting) (all []any, ok bool) {
	if all, ok = s.Value.([]any); ok && len(all) > 0 {
		_, ok = all[0].(map[string]any)
		return all, ok
	}
	return nil, false
}

// field is the value of one key of such a stanza.
func (r *reader) field(at Place, path, key string, of list, value ast.Node) (v any, ok bool) {
	if want, harmless := already[path+"."+key]; harmless && isLiteral(value, want) {
		return nil, false
	}
	for _, known := range of.keys {
		if known != key {
			continue
		}
		v, err := plain(value)
		if err != nil {
			r.refuse(at, fmt.Sprintf("%s.%s: %v", path, key, err), "")
		}
		return v, err == nil
	}
	if why := whyNot("storage.raft.retry_join." + key); why != "" {
		r.refuse(at, fmt.Sprintf("there is no %s in %s here", key, of.name), why)
		return nil, false
	}
	r.unknown(at, path+"."+key, key, of.keys)
	return nil, false
}
