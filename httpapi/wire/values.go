package wire

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Life is a duration on the wire: seconds, in quotes or without, or text as Go writes durations.
type Life time.Duration

// UnmarshalJSON takes a number of seconds or a string.
func (l *Life) UnmarshalJSON(b []byte) error {
	if IsNull(b) {
		return nil
	}
	text := strings.Trim(string(b), `"`)
	if _, err := strconv.ParseUint(text, 10, 32); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return new(json.UnmarshalTypeError) // json.Unmarshal puts the member's name in
	}
	*l = Life(d)
	return nil
}

// SecretText is a JSON string that is kept out of Go strings.
type SecretText []byte

// UnmarshalJSON copies the unquoted bytes: b belongs to the decoder.
func (s *SecretText) UnmarshalJSON(b []byte) error {
	text, err := TextBytes("key", append([]byte(nil), b...))
	*s = text
	return err
}
