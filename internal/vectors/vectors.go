// Package vectors reads other people's test vectors for the tests of httpapi and vault.
package vectors

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// A Group is test vectors of one key or of one size of keys, in the words of Project Wycheproof.
// What a file hasn't is zero.
type Group struct {
	KeySize, IVSize, TagSize int // bits
	SHA, MGFSHA              string
	SLen                     int // bytes of salt
	Private                  json.RawMessage
	PrivateKeyJWK            json.RawMessage
	PrivateKeyPKCS8          Hex
	PrivateKey               struct{ Modulus, PublicExponent, PrivateExponent Hex }
	PublicKey                struct{ Modulus, PublicExponent, Uncompressed Hex }
	Comment                  string
	Tests                    []Vector
}

// A Vector is valid, invalid, or acceptable: then either answer is right.
type Vector struct {
	ID                         int `json:"tcId"`
	Comment                    string
	Flags                      []string
	Key, IV, AAD, Msg, CT, Tag Hex
	Sig, Label                 Hex
	JWS                        string
	Result                     string
}

// Hex is bytes that JSON has in hexadecimal.
type Hex []byte

func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// Wycheproof gives the vectors of a file of Project Wycheproof, and fails the test if it can't be
// had. The files come in the module of go.mod. They are read from its folder: importing the package
// would put all of its 80 MB into the test.
func Wycheproof(t testing.TB, file string) []Group {
	t.Helper()
	dir, err := folder()
	if err != nil {
		t.Fatalf("the module of Wycheproof's vectors: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "testvectors_v1", file+"_test.json"))
	if err != nil {
		t.Fatal(err)
	}
	var content struct{ TestGroups []Group }
	if err := json.Unmarshal(b, &content); err != nil || len(content.TestGroups) == 0 {
		t.Fatalf("%s: %d groups, %v", file, len(content.TestGroups), err)
	}
	return content.TestGroups
}

// folder is where the module lies, downloaded if need be.
var folder = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "mod", "download", "-json", "github.com/c2sp/wycheproof").Output()
	if err != nil {
		return "", err
	}
	var m struct{ Dir string }
	return m.Dir, json.Unmarshal(out, &m)
})
