package debug

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"keyquorum/cmd/keyquorum/doctor"
)

// A secret that needs quoting stands in errors as Go quotes it, and in files as JSON does.
func TestSecretsAreFoundHoweverSpelt(t *testing.T) {
	for _, secret := range []string{"x", "plain-enough-to-be-a-token", `with"quotes\and<html>&more`,
		"with\ttabs\nand lines", "with bytes \xff\x01 of no text", "ümläute – and more"} {
		for _, text := range []string{"it is " + secret, fmt.Sprintf("it is %q", secret)} {
			if !holds([]string{"", "another", secret}, "nothing", text) {
				t.Errorf("%q is not found in %s", secret, text)
			}
			var file bytes.Buffer
			b := newBundle(&file, "folder")
			b.strikeOut(secret)
			b.put("plain", "", []byte(text), nil)
			b.putJSON("quoted", "", []string{text}, nil)
			if err := b.close(index{}); err != nil {
				t.Fatal(err)
			}
			for name, content := range unpacked(t, &file) {
				if strings.HasPrefix(name, "folder/index") {
					continue
				}
				var all []string
				if json.Unmarshal(content, &all) == nil {
					content = []byte(strings.Join(all, ""))
				}
				if got := string(content); !strings.Contains(got, "(struck out)") ||
					len(secret) > 1 && strings.Contains(got, secret) {
					t.Errorf("of %q %s has %q", secret, name, got)
				}
			}
		}
	}
	if holds([]string{"", "another"}, "nothing", "of it") {
		t.Error("what stands nowhere is found")
	}
}

// Of two secrets one of which is in the other, nothing is left.
func TestTheLongestIsStruckOutFirst(t *testing.T) {
	var file bytes.Buffer
	b := newBundle(&file, "folder")
	b.strikeOut("hunter")
	b.strikeOut("hunter-of-the-night")
	b.put("plain", "", []byte("hunter-of-the-night"), nil)
	if err := b.close(index{}); err != nil {
		t.Fatal(err)
	}
	if got := string(unpacked(t, &file)["folder/plain"]); got != "(struck out)" {
		t.Errorf("left is %q", got)
	}
}

// A short secret that stands where a path or an address should is in nothing that is examined.
func TestFindingsQuoteNoSetting(t *testing.T) {
	const secret = `hunter"2`
	s := unquoted(doctor.Server{Data: secret, TLSCert: "/tls.pem",
		Reached:  []string{secret + ":8201", "10.0.0.1:8202"},
		Settings: []doctor.Setting{{Name: "break_glass_socket", Hidden: []string{secret}}},
		Findings: []doctor.Finding{
			{Found: fmt.Sprintf("%q: the whole path of a socket is wanted", secret), Next: "choose"},
			{Found: "no such file", Next: "make " + secret},
			{Found: "the port is taken", Next: "take another"},
		}})
	if said := fmt.Sprintf("%+v", s.Findings); strings.Contains(said, "hunter") {
		t.Errorf("the findings say %s", said)
	}
	if f := s.Findings[2]; f.Found != "the port is taken" || f.Next != "take another" {
		t.Errorf("what quotes nothing has become %+v", f)
	}
	if len(s.Reached) != 1 || s.Data != "" || s.TLSCert != "/tls.pem" {
		t.Errorf("examined are %q, %q and %q", s.Reached, s.Data, s.TLSCert)
	}
}

func unpacked(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	packed, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for tarred := tar.NewReader(packed); ; {
		h, err := tarred.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(tarred); err != nil {
			t.Fatal(err)
		}
	}
}
