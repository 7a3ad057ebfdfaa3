package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"keyquorum/httpapi/seeds"
)

// A seedList is a setting whose values are places to join: texts on the command line and in the
// environment, stanzas or objects in a file.
type seedList []seeds.Seed

// A fielded setting takes stanzas.
type fielded interface {
	setFields(fields map[string]any) error
}

var (
	_ pflag.SliceValue = (*seedList)(nil)
	_ fielded          = (*seedList)(nil)
)

// String implements pflag.Value.
func (l *seedList) String() string { return strings.Join(l.GetSlice(), ", ") }

// Type implements pflag.Value.
func (l *seedList) Type() string { return "seed" }

// Set takes places, with commas between them.
func (l *seedList) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		if err := l.Append(one); err != nil {
			return err
		}
	}
	return nil
}

// Append implements pflag.SliceValue.
func (l *seedList) Append(text string) error {
	seed, err := seeds.Parse(text)
	if err == nil {
		*l = append(*l, seed)
	}
	return err
}

// Replace implements pflag.SliceValue.
func (l *seedList) Replace(texts []string) error {
	*l = nil
	for _, text := range texts {
		if err := l.Append(text); err != nil {
			return err
		}
	}
	return nil
}

// GetSlice implements pflag.SliceValue.
func (l *seedList) GetSlice() (texts []string) {
	for _, seed := range *l {
		texts = append(texts, seed.String())
	}
	return texts
}

func (l *seedList) setFields(fields map[string]any) error {
	said := map[string]string{}
	for name, value := range fields {
		switch value.(type) {
		case map[string]any, []any, nil:
			return fmt.Errorf("%s: one value is wanted", name)
		}
		said[name] = fmt.Sprint(value)
	}
	seed, err := seeds.New(said)
	if err == nil {
		*l = append(*l, seed)
	}
	return err
}

var errNoStanza = errors.New("a value is wanted, not a stanza")
