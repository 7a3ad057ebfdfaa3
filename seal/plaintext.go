package seal

import (
	"fmt"
	"io"
)

const redacted = "[redacted]"

// Plaintext is secret bytes: every way of printing it says [redacted].
//
// Two ways are out of its reach, as fmt calls no method there. An unexported field of a struct that
// is printed: a type that keeps secrets in such fields has to print as [redacted] itself. And verbs
// that go vet refuses: %w of what is no error, %p of a struct.
type Plaintext []byte

// Zero overwrites the bytes.
func (p Plaintext) Zero() { clear(p) }

// String implements [fmt.Stringer].
func (Plaintext) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (Plaintext) GoString() string { return redacted }

// Format implements [fmt.Formatter], so that no verb (%x, %d, %q …) reaches the bytes.
func (Plaintext) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON implements json.Marshaler. Who means to send the bytes converts them to a string or
// []byte, visibly.
func (Plaintext) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements [encoding.TextMarshaler], which slog, XML and YAML use.
func (Plaintext) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// unprintable makes a struct that embeds it print as [redacted], whatever the verb. Keys in
// unexported fields need it even behind a pointer: fmt prints the array that a pointer points to
// when the verb is wrong for a pointer, as %s is.
type unprintable struct{}

// Format implements [fmt.Formatter].
func (unprintable) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }
