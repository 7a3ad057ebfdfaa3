package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/settings"
)

// notSettings are flags of the server that are settings of no node.
var notSettings = []string{"config", "check", "format", "help"}

// problems are all that is wrong with what a server is told.
type problems []settings.Problem

// err is the first of them, and how to see the others; nil where there is none.
func (p problems) err() error {
	switch len(p) {
	case 0:
		return nil
	case 1:
		return p[0]
	}
	return fmt.Errorf("%w (and %d more; keyquorum server --check says all)", p[0], len(p)-1)
}

// about is what is wrong with a setting, at the place that says it.
func (s *serverConfig) about(flag, what string) settings.Problem {
	if at, there := s.said[flag]; there {
		return settings.Problem{Place: at, What: settingName(flag) + ": " + what}
	}
	return settings.Problem{Place: settings.Place{From: "--" + flag}, What: what}
}

// fill sets every flag that the command line left alone from the environment or the configuration
// file. What can't be taken stays as it was.
func (s *serverConfig) fill(
	f *pflag.FlagSet, lookup func(string) (string, bool),
) (wrong problems) {
	wrong = fillFromEnvironment(f, lookup)
	if s.File != "" {
		wrong = append(wrong, s.fillFromFile(f)...)
	}
	return wrong
}

func fillFromEnvironment(
	f *pflag.FlagSet, lookup func(string) (string, bool),
) (wrong problems) {
	f.VisitAll(func(flag *pflag.Flag) {
		name := variable(flag.Name)
		value, there := lookup(name)
		if !there || flag.Changed || !isSetting(flag) && flag.Name != "config" {
			return
		}
		if err := f.Set(flag.Name, value); err != nil {
			wrong = append(wrong, settings.Problem{
				Place: settings.Place{From: name + " in the environment"},
				What:  console.WrongValue(err).Error()})
		}
	})
	return wrong
}

func (s *serverConfig) fillFromFile(f *pflag.FlagSet) (wrong problems) {
	var names []string
	flags := map[string]*pflag.Flag{}
	f.VisitAll(func(flag *pflag.Flag) {
		if isSetting(flag) {
			names = append(names, settingName(flag.Name))
			flags[settingName(flag.Name)] = flag
		}
	})
	read, wrong := settings.Read(s.File, names)
	s.mute = len(wrong) > 0 && len(read) == 0
	s.said = map[string]settings.Place{}
	for _, said := range read {
		flag := flags[said.Name]
		if flag.Changed {
			continue
		}
		s.said[flag.Name] = said.Place
		if err := setFrom(f, flag.Name, said.Value); err != nil {
			wrong = append(wrong, settings.Problem{Place: said.Place,
				What: fmt.Sprintf("%s: %v", said.Key, err)})
		}
	}
	return wrong
}

// setFrom takes a string or boolean, a number for a setting that is one, or a stanza, or a list of
// them where the flag may be repeated.
func setFrom(f *pflag.FlagSet, name string, value any) error {
	kind := f.Lookup(name).Value
	values, isList := value.([]any)
	if !isList {
		values = []any{value}
	} else if _, repeatable := kind.(pflag.SliceValue); !repeatable {
		return errors.New("one value is wanted, not a list")
	}
	for _, v := range values {
		if fields, isStanza := v.(map[string]any); isStanza {
			into, takes := kind.(fielded)
			if !takes {
				return errNoStanza
			}
			if err := into.setFields(fields); err != nil {
				return err
			}
			continue
		}
		text, err := settingText(kind.Type(), v)
		if err != nil {
			return err
		}
		if err := f.Set(name, text); err != nil {
			return console.WrongValue(err)
		}
	}
	return nil
}

// settingText is how one value of the file would be written on the command line.
func settingText(kind string, value any) (string, error) {
	isNumber := kind == "int" || kind == "float64" || kind == "size"
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		if kind == "bool" {
			return strconv.FormatBool(v), nil
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && isNumber {
			return strconv.FormatFloat(f, 'f', -1, 64), nil // 2e6 is no int to a flag
		}
	}
	switch {
	case kind == "bool":
		return "", errors.New("true or false is wanted")
	case isNumber:
		return "", errors.New("a number is wanted")
	case kind == "duration":
		return "", errors.New(`a length of time is wanted, as in "90s"`)
	}
	return "", errors.New("a string is wanted")
}

func isSetting(flag *pflag.Flag) bool { return !slices.Contains(notSettings, flag.Name) }

// variable is a flag's name in the environment.
func variable(flag string) string { return "KEYQUORUM_" + strings.ToUpper(settingName(flag)) }

// settingName is a flag's name in a file.
func settingName(flag string) string { return strings.ReplaceAll(flag, "-", "_") }
