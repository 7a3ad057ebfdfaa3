package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"
	"github.com/hashicorp/hcl/hcl/scanner"
	"github.com/hashicorp/hcl/hcl/strconv"
	"github.com/hashicorp/hcl/hcl/token"
)

// readHCL takes settings by our names, and stanzas by Vault's.
func (r *reader) readHCL(text []byte) {
	file, err := parser.ParseDontErrorOnDuplicateKeys(text)
	if err == nil {
		err = unfinished(text)
	}
	if err != nil {
		at, what := Place{From: r.file}, err
		if placed := new(parser.PosError); errors.As(err, &placed) {
			at, what = r.pos(placed.Pos), placed.Err
		}
		r.refuse(at, fmt.Sprintf("this is no HCL: %v", what),
			"a line is NAME = VALUE, and texts stand in double quotes")
		return
	}
	if list, ok := file.Node.(*ast.ObjectList); ok {
		r.body("", list)
	}
}

// unfinished notices a last line without its value, which the parser passes over.
func unfinished(text []byte) error {
	s := scanner.New(text)
	s.Error = func(token.Pos, string) {} // the parser has said it
	var last token.Token
	for t := s.Scan(); t.Type != token.EOF && t.Type != token.ILLEGAL; t = s.Scan() {
		if t.Type != token.COMMENT {
			last = t
		}
	}
	if last.Type == token.ASSIGN {
		return &parser.PosError{Pos: last.Pos, Err: errors.New("the value is missing")}
	}
	return nil
}

func (r *reader) pos(p token.Pos) Place { return Place{r.file, p.Line, p.Column} }

// body takes what a stanza holds, or the file.
func (r *reader) body(stanza string, list *ast.ObjectList) {
	for _, item := range list.Items {
		at := r.pos(item.Pos())
		key, err := keyOf(item)
		if err != nil {
			r.refuse(at, fmt.Sprintf("a name can't be read: %v", err), "")
			continue
		}
		r.item(at, strings.TrimPrefix(stanza+"."+key, "."), item.Val)
	}
}

// keyOf is what stands before a value: a name, with its labels behind it.
func keyOf(item *ast.ObjectItem) (key string, err error) {
	for _, part := range item.Keys {
		name := part.Token.Text
		if part.Token.Type == token.STRING {
			if name, err = strconv.Unquote(name); err != nil {
				return "", err
			}
		}
		key = strings.TrimPrefix(key+"."+name, ".")
	}
	return key, nil
}

// item takes a stanza, or a setting.
func (r *reader) item(at Place, path string, value ast.Node) {
	object, isObject := value.(*ast.ObjectType)
	if of, isList := lists[path]; isList && isObject {
		r.element(at, path, of, object)
		return
	}
	if isObject && stanzas[path] {
		r.stanza(at, path, object.List)
		return
	}
	ours := ownName(path)
	is, known := translations[path]
	if !known && r.isSetting(ours) {
		is, known = translation{name: ours}, true
	}
	if known {
		r.setting(at, path, is, value)
		return
	}
	if want, harmless := already[path]; harmless && isLiteral(value, want) {
		return
	}
	if why := whyNot(path); why != "" {
		r.refuse(at, fmt.Sprintf("there is no %s here", asWritten(path)), why)
		return
	}
	inside, typed := cutLast(path)
	for inside != "" && !stanzas[inside] {
		inside, typed = cutLast(inside)
	}
	keys := stanzasIn(inside)
	if !isObject {
		keys = append(keys, r.keysOf(inside)...)
	}
	r.unknown(at, path, typed, keys)
}

// stanza takes one that there is, once.
func (r *reader) stanza(at Place, path string, list *ast.ObjectList) {
	if first, twice := r.said[path]; twice {
		r.refuse(at, fmt.Sprintf("a second %s", asWritten(path)),
			fmt.Sprintf("a node has one, and line %d begins it: put everything there", first.Line))
		return
	}
	r.said[path] = at
	r.body(path, list)
}

func (r *reader) setting(at Place, path string, is translation, value ast.Node) {
	v, err := plain(value)
	if err != nil {
		r.refuse(at, fmt.Sprintf("%s: %v", path, err), "")
		return
	}
	if text, isText := v.(string); isText && is.change != nil {
		v = is.change(text)
	}
	r.take(Setting{at, is.name, path, v})
}

// plain is a value as JSON has it.
func plain(value ast.Node) (any, error) {
	switch v := value.(type) {
	case *ast.LiteralType:
		return literal(v.Token)
	case *ast.ListType:
		all := make([]any, len(v.List))
		for i, of := range v.List {
			one, isLiteral := of.(*ast.LiteralType)
			if !isLiteral {
				return nil, errors.New("a list of plain values is wanted")
			}
			var err error
			if all[i], err = literal(one.Token); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	return nil, errors.New("a value is wanted, not a stanza")
}

func literal(t token.Token) (any, error) {
	switch t.Type {
	case token.STRING:
		return strconv.Unquote(t.Text)
	case token.BOOL:
		return t.Text == "true", nil
	case token.NUMBER, token.FLOAT:
		return json.Number(t.Text), nil
	}
	return nil, errors.New("a text in double quotes, a number, or true or false is wanted")
}

// isLiteral says whether a value is what is wanted, in any of the ways in which Vault takes it.
func isLiteral(value ast.Node, want string) bool {
	v, err := plain(value)
	if err != nil {
		return false
	}
	text := fmt.Sprint(v)
	switch want {
	case "true":
		return text == "true" || text == "1"
	case "false":
		return text == "false" || text == "0"
	}
	return text == want
}

// keysOf are the settings that may stand in a stanza, or in the file for "".
func (r *reader) keysOf(stanza string) (keys []string) {
	if stanza == "" || stanza == ownStanza {
		keys = append(keys, r.names...)
	}
	if slices.Contains(grouped, stanza) {
		for _, name := range r.names {
			key, inside := strings.CutPrefix(name, strings.ReplaceAll(stanza, ".", "_")+"_")
			if inside && ownName(stanza+"."+key) == name {
				keys = append(keys, key)
			}
		}
	}
	for path := range translations {
		if inside, key := cutLast(path); inside == stanza && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// stanzasIn are the names of those that may stand in a stanza, without their labels.
func stanzasIn(stanza string) (names []string) {
	for path := range stanzas {
		rest, below := path, true
		if stanza != "" {
			rest, below = strings.CutPrefix(path, stanza+".")
		}
		if name, _, _ := strings.Cut(rest, "."); below && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// cutLast parts a path at its last point.
func cutLast(path string) (inside, last string) {
	at := strings.LastIndexByte(path, '.')
	if at < 0 {
		return "", path
	}
	return path[:at], path[at+1:]
}
