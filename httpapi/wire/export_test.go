package wire

// Unquote replaces the escapes of b, for tests from outside.
func Unquote(b []byte) []byte { return unquote(b) }
