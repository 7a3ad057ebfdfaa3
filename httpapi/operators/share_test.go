package operators_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"keyquorum/httpapi/operators"
)

func FuzzShareDecoding(f *testing.F) {
	share := []byte(strings.Repeat("\x01\xfe\x7f", 11))
	f.Add([]byte(hex.EncodeToString(share)))
	f.Add([]byte(strings.ToUpper(hex.EncodeToString(share))))
	f.Add([]byte(base64.StdEncoding.EncodeToString(share)))
	f.Add([]byte("abcd"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := operators.DecodeShare(text)
		if err != nil {
			return
		}
		fromHex, err := hex.DecodeString(string(text))
		if err != nil {
			fromHex = nil // what came before the error
		}
		fromBase64, _ := base64.StdEncoding.DecodeString(string(text))
		if string(got) != string(fromHex) && string(got) != string(fromBase64) {
			t.Fatalf("%q decodes to %x", text, got)
		}
		if len(fromHex) == 33 && string(got) != string(fromHex) {
			t.Fatalf("%q is hex of a share's length and was read as base64", text)
		}
	})
}
