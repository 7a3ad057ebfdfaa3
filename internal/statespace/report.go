package statespace

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

// AllBut is a set of rules, a struct of booleans, with all of them in force but the named ones.
func AllBut[R any](names ...string) (r R) {
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		v.Field(i).SetBool(true)
	}
	for _, name := range names {
		f := v.FieldByName(name)
		if !f.IsValid() {
			panic(fmt.Sprintf("there is no rule %q", name))
		}
		f.SetBool(false)
	}
	return r
}

// Says is what a rule says: the tag "says" of its field.
func Says[R any](name string) string {
	f, _ := reflect.TypeFor[R]().FieldByName(name)
	return f.Tag.Get("says")
}

// A Table prints as Markdown. Its first row is the head.
type Table [][]string

// Row adds a row.
func (t *Table) Row(cells ...string) { *t = append(*t, cells) }

// Print prints a table that has more than a head.
func (t Table) Print(w io.Writer) {
	if len(t) == 1 {
		return
	}
	fmt.Fprintln(w)
	for i, cells := range t {
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			fmt.Fprintln(w, "|"+strings.Repeat("---|", len(cells)))
		}
	}
}

// Thousands writes a number with commas.
func Thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", Thousands(n/1000), n%1000)
}
