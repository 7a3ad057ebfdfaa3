package wire_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"keyquorum/httpapi/wire"
)

// The scanner must take what encoding/json takes, but for what it refuses on purpose, and give back
// the same values.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{`{}`, ``, `null`,
		`{"a":1,"b":[true,false,null,-0.5e+7],"c":{"d":"\u00e9\ud83d\ude00\\\"\/"}}`, `[1]`, `{"a":01}`,
		`{"a":"\ud800\u0041"}`, `{"a":"` + "\x7f" + `"}`, `{"value":"s","value":"t"}`,
		" \t\r\n{ \"a\" : [ ] } "} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		members := make(map[string]string)
		err := wire.EachMember(append([]byte(nil), body...), func(name, value []byte) error {
			if !strings.Contains(string(name), `\`) {
				members[string(name)] = string(value)
			}
			return nil
		})
		if err != nil {
			return
		}
		if len(strings.Trim(string(body), " \t\r\n")) == 0 {
			return
		}
		if !utf8.Valid(body) || !json.Valid(body) {
			t.Fatalf("took %q", body)
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("took %q: %v", body, err)
		}
		for name, value := range members {
			if got := want[name]; string(got) != value {
				t.Fatalf("member %q is %q, want %q", name, value, got)
			}
		}
	})
}

func FuzzStrings(f *testing.F) {
	for _, seed := range []string{"", "plain", "é😀\u2028", "\x00\x1f\"\\/", "\xff\xfe", "a\ud7ffb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoded := wire.AppendString(nil, s)
		var std string
		if err := json.Unmarshal(encoded, &std); err != nil {
			t.Fatalf("%q encodes to %s: %v", s, encoded, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && std != want {
			t.Fatalf("%q comes back as %q", s, std)
		}
		own := wire.Unquote(append([]byte(nil), encoded[1:len(encoded)-1]...))
		if string(own) != std {
			t.Fatalf("%s unquotes to %q, want %q", encoded, own, std)
		}
		escaped, _ := json.Marshal(s) // with more escapes than ours
		json.Unmarshal(escaped, &std)
		if own := wire.Unquote(escaped[1 : len(escaped)-1]); string(own) != std {
			t.Fatalf("%s unquotes to %q, want %q", escaped, own, std)
		}
	})
}
