package console

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ExitError ends the program with a code; a nil err prints nothing.
type ExitError struct {
	code int
	err  error
}

// Exit is an error that ends the program with a code; with a nil err it prints nothing.
func Exit(code int, err error) error { return ExitError{code, err} }

func (e ExitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e ExitError) Unwrap() error { return e.err }

// ExitCode is the code that an error ends the program with: 0 without one, 1 where none was said.
func ExitCode(err error) int {
	var exit ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.code
	}
	return 1
}

// Complaint is the one line that is printed of an error, which a log or a script reads; "" where
// nothing is.
func Complaint(err error) string {
	var exit ExitError
	if err == nil || errors.As(err, &exit) && exit.err == nil {
		return ""
	}
	broken := func(r rune) bool { return r == '\n' || r == '\r' }
	return "keyquorum: " + strings.Join(strings.FieldsFunc(err.Error(), broken), "; ")
}

// CalledAs is how this program was called, for hints that are to be typed. Of an absolute path,
// which programs write rather than people, it is the name alone.
func CalledAs() string {
	if filepath.IsAbs(os.Args[0]) {
		return filepath.Base(os.Args[0])
	}
	return os.Args[0]
}
