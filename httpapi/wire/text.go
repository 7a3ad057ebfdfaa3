package wire

// What texts of a request are made of. All of these look at ASCII alone.

// Printable cuts what a client calls its request to 64 characters, and drops it if any is not
// printable ASCII: it is echoed, and written to the usage log.
func Printable(s string) string {
	s = s[:min(len(s), 64)]
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return ""
		}
	}
	return s
}

// EqualFold compares ASCII letters without case and all else byte for byte, as DNS does. lower must
// be lower case.
func EqualFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// Alphanumeric says whether c is an ASCII letter or digit.
func Alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// AllDigits says whether s is digits, at least one.
func AllDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// MaxLogged is how many bytes of what a stranger chose go into one line of the program's log.
const MaxLogged = 256
