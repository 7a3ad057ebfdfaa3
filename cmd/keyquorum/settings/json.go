package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// readJSON takes an object whose members are settings by our names.
func (r *reader) readJSON(text []byte) {
	var whole any
	if err := json.Unmarshal(text, &whole); err != nil {
		r.refuse(r.at(text, failedAt(err, text)), fmt.Sprintf("this is no JSON: %v", err),
			"a file that begins with { is JSON, and any other is HCL")
		return
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	_, _ = d.Token() // the object opens
	for d.More() {
		at := r.at(text, nextToken(text, int(d.InputOffset())))
		key, _ := d.Token()
		name, _ := key.(string)
		var value any
		_ = d.Decode(&value) // the whole was decoded once
		r.member(Setting{at, name, fmt.Sprintf("%q", name), value})
	}
}

// member takes one member of the object.
func (r *reader) member(s Setting) {
	if r.isSetting(s.Name) {
		r.take(s)
		return
	}
	if stanzas[s.Name] || s.Name == "listener" || s.Name == "storage" {
		r.refuse(s.Place, fmt.Sprintf("there is no setting %q in JSON", s.Name),
			"stanzas are for files in HCL; in JSON each setting has the name of its flag")
		return
	}
	if why := whyNot(s.Name); why != "" {
		r.refuse(s.Place, fmt.Sprintf("there is no setting %q", s.Name), why)
		return
	}
	r.unknown(s.Place, s.Name, s.Name, r.names)
}

// failedAt is at which byte a text stops to be JSON.
func failedAt(err error, text []byte) int {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset > 0 {
		return int(syntax.Offset) - 1
	}
	return len(text)
}

// nextToken is where the next token begins after a byte of the text.
func nextToken(text []byte, after int) int {
	rest := bytes.TrimLeft(text[after:], " \t\r\n,")
	return len(text) - len(rest)
}

// at is the place of a byte of the text.
func (r *reader) at(text []byte, offset int) Place {
	before := text[:min(offset, len(text))]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return Place{r.file, bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(line) + 1}
}
