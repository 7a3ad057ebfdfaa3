package wire

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of a JSON body (decision 22). Members counts those of objects and arrays together, in the
// whole body.
const (
	maxDepth   = 32
	maxMembers = 1000
)

var (
	errSyntax  = BadParameter("The request body is not valid JSON.")
	errDepth   = BadParameter("The request body is nested too deeply.")
	errMembers = BadParameter("The request body has too many members.")
	errObject  = BadParameter("The request body is not a JSON object.")
)

// EachMember checks all of body against RFC 8259, UTF-8, and the limits, and calls f for each
// member of the object that it is, with the member's name and its raw value. An empty body and null
// are objects without members. Where a name comes twice, f is called twice. f may change the bytes
// of value.
//
// It allocates nothing and bounds its recursion, so nothing that arrives costs more than reading it
// once.
func EachMember(body []byte, f func(name, value []byte) error) error {
	if !utf8.Valid(body) {
		return errSyntax
	}
	s := scanner{b: body}
	s.space()
	switch {
	case s.i == len(body):
		return nil
	case body[s.i] == '{':
		if err := s.object(1, f); err != nil {
			return err
		}
	default:
		start := s.i
		if err := s.value(0); err != nil {
			return err
		}
		if string(body[start:s.i]) != "null" {
			return errObject
		}
	}
	s.space()
	if s.i != len(body) {
		return errSyntax
	}
	return nil
}

// A scanner reads one JSON text. i is always at the next byte to look at.
type scanner struct {
	b       []byte
	i       int
	members int
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// next takes the byte c if it comes next, after space.
func (s *scanner) next(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) value(depth int) error {
	s.space()
	if s.i == len(s.b) {
		return errSyntax
	}
	switch s.b[s.i] {
	case '{':
		return s.object(depth+1, nil)
	case '[':
		return s.array(depth + 1)
	case '"':
		return s.str()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) object(depth int, f func(name, value []byte) error) error {
	s.i++ // the brace
	if depth > maxDepth {
		return errDepth
	}
	if s.next('}') {
		return nil
	}
	for {
		name, err := s.name()
		if err != nil {
			return err
		}
		s.space()
		start := s.i
		if err := s.element(depth); err != nil {
			return err
		}
		if f != nil {
			if err := f(name, s.b[start:s.i]); err != nil {
				return err
			}
		}
		if s.next('}') {
			return nil
		}
		if !s.next(',') {
			return errSyntax
		}
	}
}

// name reads a member's name and its colon. Names with escapes come raw: none that we know has any.
func (s *scanner) name() ([]byte, error) {
	s.space()
	start := s.i
	if s.i == len(s.b) || s.b[s.i] != '"' {
		return nil, errSyntax
	}
	if err := s.str(); err != nil {
		return nil, err
	}
	name := s.b[start+1 : s.i-1]
	if !s.next(':') {
		return nil, errSyntax
	}
	return name, nil
}

func (s *scanner) array(depth int) error {
	s.i++ // the bracket
	if depth > maxDepth {
		return errDepth
	}
	if s.next(']') {
		return nil
	}
	for {
		if err := s.element(depth); err != nil {
			return err
		}
		if s.next(']') {
			return nil
		}
		if !s.next(',') {
			return errSyntax
		}
	}
}

// element is a value that counts as a member.
func (s *scanner) element(depth int) error {
	if s.members++; s.members > maxMembers {
		return errMembers
	}
	return s.value(depth)
}

func (s *scanner) literal(word string) error {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return errSyntax
	}
	s.i += len(word)
	return nil
}

func (s *scanner) str() error {
	for s.i++; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return nil
		case c < ' ':
			return errSyntax
		case c == '\\':
			n := escapeLen(s.b[s.i:])
			if n == 0 {
				return errSyntax
			}
			s.i += n - 1
		}
	}
	return errSyntax
}

// escapeLen is the length of the escape that b begins with, 0 if it is none. A surrogate must come
// with its other half: alone it stands for no character, and what can't be given back byte for byte
// must not be taken.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r, ok := Hex4(b[2:])
		if !ok {
			return 0
		}
		if !utf16.IsSurrogate(r) {
			return 6
		}
		if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
			return 0
		}
		if low, ok := Hex4(b[8:]); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
			return 12
		}
	}
	return 0
}

// Hex4 reads the four digits of a \u escape.
func Hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !s.digits() {
		return errSyntax
	}
	if s.peek() == '.' {
		s.i++
		if !s.digits() {
			return errSyntax
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return errSyntax
		}
	}
	return nil
}

// peek is the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) digits() bool {
	start := s.i
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.i++
	}
	return s.i > start
}
