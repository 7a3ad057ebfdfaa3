package commands_test

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"
)

// An expectation is what must come of a call.
type expectation interface {
	met(s *scene, answer any, err error) error
}

// A refusal has a status and words that its text must have.
type refusal struct {
	status int
	words  string
}

func (r refusal) met(_ *scene, answer any, err error) error {
	status, texts, ok := refusedWith(err)
	switch text := strings.Join(texts, " "); {
	case !ok:
		return fmt.Errorf("it is not refused: %v, %v", answer, err)
	case status != r.status || !strings.Contains(text, r.words):
		return fmt.Errorf("it is refused with %d, %q, and not with %d, %q", status, text, r.status,
			r.words)
	}
	return nil
}

// prints are the fields that a command prints, by their names in the struct that the client has
// decoded: each is a value, or a judge of one. The one called "" is the answer itself.
type prints map[string]any

// with is one field more.
func with(p prints, name string, want any) prints {
	more := maps.Clone(p)
	more[name] = want
	return more
}

// A judge says whether a field is as it must be.
type judge func(s *scene, got any) bool

func (p prints) met(s *scene, answer any, err error) error {
	if err != nil {
		return err
	}
	for name, want := range p {
		got, err := field(answer, name)
		if err != nil {
			return err
		}
		good := fmt.Sprint(got) == fmt.Sprint(want)
		if j, ok := want.(judge); ok {
			good = j(s, got)
		}
		if !good {
			return fmt.Errorf("%s is %v (%v)", name, got, want)
		}
	}
	return nil
}

func field(answer any, name string) (any, error) {
	v := reflect.ValueOf(answer)
	if name == "" || !v.IsValid() {
		return answer, nil
	}
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() == reflect.Struct {
		if f := v.FieldByName(name); f.IsValid() {
			return f.Interface(), nil
		}
	}
	if members, ok := answer.(map[string]any); ok {
		if value, ok := members[name]; ok {
			return value, nil
		}
	}
	return nil, fmt.Errorf("no %s in %#v", name, answer)
}

// text is a field that is a string.
func text(answer any, name string) string {
	got, _ := field(answer, name)
	s, _ := got.(string)
	return s
}

// some: it is there, whatever it is.
func some(_ *scene, got any) bool {
	return got != nil && !reflect.ValueOf(got).IsZero()
}

// long: it has so many elements, or characters.
func long(n int) judge {
	return func(_ *scene, got any) bool { return reflect.ValueOf(got).Len() == n }
}

// recent: a time of this test, in either of the two forms that clients decode to.
func recent(_ *scene, got any) bool {
	at, ok := got.(time.Time)
	if s, isText := got.(string); isText {
		var err error
		at, err = time.Parse(time.RFC3339Nano, s)
		ok = err == nil
	}
	since := time.Since(at)
	return ok && since > -time.Minute && since < time.Hour
}

// own: it is what the scene knows.
func own(what func(s *scene) string) judge {
	return func(s *scene, got any) bool { return got == what(s) }
}
