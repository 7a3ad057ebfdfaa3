// Package settings reads the configuration file of a server: HCL with the stanzas that operators
// know from Vault and OpenBao, or a JSON object. It gives settings by our names, and of everything
// in the file that it does not take it says where it stands and what would be right. It knows which
// names there are, and not what they mean: who reads the file checks the values.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"keyquorum/cmd/keyquorum/console"
)

// maxFile bounds a configuration file, in bytes. A real one has some hundreds.
const maxFile = 256 << 10

// A Place is where something was said: a file, or a flag or a variable by its name. Lines and
// columns of a file count from 1; a Line of 0 is all of it.
type Place struct {
	From         string
	Line, Column int
}

func (p Place) String() string {
	if p.Line == 0 {
		return p.From
	}
	return fmt.Sprintf("%s:%d:%d", p.From, p.Line, p.Column)
}

// A Setting is what a file says of one of our settings.
type Setting struct {
	Place
	Name  string // ours: the flag's, with _ for -
	Key   string // as the file has it: "listener.tcp.address"
	Value any    // a string, bool or json.Number, or a []any of them; JSON may have anything
}

// A Problem is something that was said and can't be taken.
type Problem struct {
	Place        // the zero Place: nowhere, it is missing
	What  string // is wrong
	Next  string // what to do, as the end of a sentence; "" where What says it
}

func (p Problem) Error() string {
	text := p.What
	if at := p.Place.String(); at != "" {
		text = at + ": " + text
	}
	if p.Next != "" {
		text += "; " + p.Next
	}
	return text
}

// Read reads a file. names are all settings that there are. What comes back without a problem is
// each setting once, in the order of the file.
func Read(file string, names []string) (read []Setting, wrong []Problem) {
	r := &reader{file: file, names: names, said: map[string]Place{}}
	text, err := content(file)
	switch {
	case err != nil:
		r.refuse(Place{From: file}, err.Error(), "say with --config which file it is")
	case bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")):
		r.readJSON(text)
	default:
		r.readHCL(text)
	}
	return r.read, r.wrong
}

// content is what a file holds. Errors name no file: a Problem has it.
func content(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err == nil {
		defer f.Close()
		var text []byte
		text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
		if len(text) > maxFile {
			err = fmt.Errorf("it has more than %d KiB, and is no configuration", maxFile>>10)
		}
		if err == nil {
			return text, nil
		}
	}
	if path := new(fs.PathError); errors.As(err, &path) {
		err = path.Err
	}
	return nil, fmt.Errorf("the configuration file can't be read: %w", err)
}

// A reader gathers what a file says.
type reader struct {
	file  string
	names []string         // of our settings
	said  map[string]Place // settings and stanzas that were there already
	read  []Setting
	wrong []Problem
}

func (r *reader) refuse(at Place, what, next string) {
	r.wrong = append(r.wrong, Problem{at, what, next})
}

// take keeps a setting that there is, once.
func (r *reader) take(s Setting) {
	if first, twice := r.said[s.Name]; twice {
		r.refuse(s.Place, fmt.Sprintf("%s is said twice", s.Key),
			fmt.Sprintf("line %d says it already: keep one of the two", first.Line))
		return
	}
	r.said[s.Name] = s.Place
	r.read = append(r.read, s)
}

func (r *reader) isSetting(name string) bool { return slices.Contains(r.names, name) }

// unknown refuses a key, and names the one of keys that was probably meant.
func (r *reader) unknown(at Place, key, typed string, keys []string) {
	next := ""
	if meant := console.Nearest(keys, typed, max(1, len(typed)/3)); meant != "" {
		next = fmt.Sprintf("did you mean %s?", meant)
	}
	r.refuse(at, fmt.Sprintf("there is no setting %q", key), next)
}
