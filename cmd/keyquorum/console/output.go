package console

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// An Answer is what a command on objects has to say, in every form in which it can be asked for.
type Answer struct {
	Data  any      // one object, or a list of them: printed as JSON, and what --field looks into
	Table Table    // for people
	Lines []string // what -q leaves: an id, or the names of a list
	// Fields are the members that Data's objects can have; one that is none of them is refused.
	Fields []string
	Env    [][2]string // what --format=env prints; nil: the members of Data
	After  error       // what the program ends with once the answer is printed
}

// Output is how answers are printed: --format, --field and -q.
type Output struct {
	format string
	field  string
	quiet  bool
}

// OutputFlags gives the command, and all below it, the flags of Output.
func OutputFlags(c *cobra.Command) *Output {
	o := &Output{format: "table"}
	f := c.PersistentFlags()
	f.Var(
		&choice{&o.format, []string{"table", "json", "env"}},
		"format",
		"how to print; env is for a shell",
	)
	f.StringVar(&o.field, "field", "", "print one member of the JSON, as it is")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print only ids, or the names of a list")
	return o
}

// Quiet says whether people want to hear nothing but the answer.
func (o *Output) Quiet() bool { return o.quiet }

// ForPeople says whether no form was asked for that a program reads.
func (o *Output) ForPeople() bool { return o.field == "" && !o.quiet && o.format == "table" }

// Print writes an answer; one without data is nothing, what was asked for is written already.
func (o *Output) Print(w io.Writer, a Answer) error {
	switch {
	case a.Data == nil:
		return nil
	case o.field != "":
		return printField(w, a, o.field)
	case o.quiet:
		return writeLines(w, a.Lines)
	case o.format == "json":
		return printJSON(w, a.Data)
	case o.format == "env":
		return printEnvironment(w, a)
	}
	return a.Table.print(w)
}

// Said prints a sentence for people, where they have asked for no other form.
func (o *Output) Said(w io.Writer, format string, args ...any) {
	if o.ForPeople() {
		fmt.Fprintf(w, format+"\n", args...)
	}
}

func writeLines(w io.Writer, lines []string) error {
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// members are the top-level members of what is printed as JSON, of each object where it is a list.
func members(data any) (objects []map[string]json.RawMessage, isList bool, err error) {
	text, err := json.Marshal(data)
	if err != nil {
		return nil, false, err
	}
	if json.Unmarshal(text, &objects) == nil {
		return objects, true, nil
	}
	var one map[string]json.RawMessage
	err = json.Unmarshal(text, &one)
	return []map[string]json.RawMessage{one}, false, err
}

// printField writes a member of each object: a string as it is, byte for byte, anything else as
// JSON, nothing where it has none. A line break follows where it separates (lists), or keeps a
// terminal's prompt apart.
func printField(w io.Writer, a Answer, field string) error {
	if !slices.Contains(a.Fields, field) {
		return fmt.Errorf("there is no field %q; there are %s", field, strings.Join(a.Fields, ", "))
	}
	objects, isList, err := members(a.Data)
	if err != nil {
		return err
	}
	end := ""
	if isList || IsTerminal(w) {
		end = "\n"
	}
	for _, o := range objects {
		if _, err := io.WriteString(w, plain(o[field])+end); err != nil {
			return err
		}
	}
	return nil
}

func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func printEnvironment(w io.Writer, a Answer) error {
	variables := a.Env
	if variables == nil {
		objects, isList, err := members(a.Data)
		if err != nil {
			return err
		}
		if isList {
			return fmt.Errorf("--format=env prints one object, and this is a list; use json")
		}
		for _, name := range slices.Sorted(maps.Keys(objects[0])) {
			variables = append(variables, [2]string{VariableName(name), plain(objects[0][name])})
		}
	}
	for _, v := range variables {
		if _, err := fmt.Fprintf(w, "%s=%s\n", v[0], ShellQuote(v[1])); err != nil {
			return err
		}
	}
	return nil
}

// VariableName is a name as environment variables are called: db-password is DB_PASSWORD.
func VariableName(name string) string {
	name = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if name != "" && unicode.IsDigit(rune(name[0])) {
		return "_" + name
	}
	return name
}

// ShellQuote is s as a shell reads it back; plain words stay plain.
func ShellQuote(s string) string {
	special := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:,+=@%", r)
	}
	if s != "" && !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
