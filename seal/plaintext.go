package seal

import (
	"fmt"
	"io"
)

const redacted = "[redacted]"

// Plaintext is secret bytes: every way of printing it says [redacted].
//
// One way is out of its reach: package fmt calls no methods on an unexported field of a struct it prints. Types that
// keep secrets in unexported fields keep them behind a pointer, which fmt prints as an address.
type Plaintext []byte

// Zero overwrites the bytes.
func (p Plaintext) Zero() { clear(p) }

// String implements [fmt.Stringer].
func (Plaintext) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (Plaintext) GoString() string { return redacted }

// Format implements [fmt.Formatter], so that no verb (%x, %d, %q …) reaches the bytes.
func (Plaintext) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON implements json.Marshaler. Who means to send the bytes converts them to a string or []byte, visibly.
func (Plaintext) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements [encoding.TextMarshaler], which slog, XML and YAML use.
func (Plaintext) MarshalText() ([]byte, error) { return []byte(redacted), nil }
