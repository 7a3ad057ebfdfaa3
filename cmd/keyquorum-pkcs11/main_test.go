package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func requireSays(t *testing.T, what string, err error, says string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v, which does not say %q", what, err, says)
	}
}

func file(t *testing.T, mode os.FileMode, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(path, []byte(content), mode))
	check(t, os.Chmod(path, mode))
	return path
}

func TestPINFile(t *testing.T) {
	for content, want := range map[string]string{"1234": "1234", "a b\n": "a b",
		"user:1 \r\n": "user:1 "} {
		if pin, err := readPIN(file(t, 0o640, content)); err != nil || pin != want {
			t.Errorf("%q gives %q, %v", content, pin, err)
		}
	}
	for _, content := range []string{"", "\n", "12\n34", "12\x00", strings.Repeat("7", 256)} {
		_, err := readPIN(file(t, 0o600, content))
		requireSays(t, content, err, "holds no PIN")
	}
	_, err := readPIN(file(t, 0o604, "1234"))
	requireSays(t, "a file that everybody reads", err, "chmod o-rwx")
	_, err = readPIN(t.TempDir())
	requireSays(t, "a folder", err, "is no file")
}

// A token that says that it may lock is not shown a PIN.
func TestTokenThatMayLock(t *testing.T) {
	for flags, says := range map[uint]string{
		pkcs11.CKF_USER_PIN_LOCKED:    "has locked the PIN",
		pkcs11.CKF_USER_PIN_FINAL_TRY: "locks after one more wrong PIN",
	} {
		err := pinState("token \"a\"", flags|pkcs11.CKF_TOKEN_INITIALIZED)
		requireSays(t, says, err, says)
		if !errors.As(err, new(pinError)) {
			t.Errorf("%v: a node asks again by itself", err)
		}
	}
	if err := pinState("token", pkcs11.CKF_USER_PIN_COUNT_LOW); err != nil {
		t.Errorf("after one wrong PIN: %v", err)
	}
}

func TestProtocol(t *testing.T) {
	for _, text := range []string{"", "{", `{"do":1}`, `{"do":"wrap","more":1}`, "[]",
		`{"data":"` + strings.Repeat("A", maxRequest) + `"}`} {
		if q, err := readRequest(strings.NewReader(text)); err == nil || len(q.Data) > 0 {
			t.Errorf("%.40q is taken", text)
		}
	}
	text := `{"do":"wrap","library":"/l","token":"t","object":"o","id":"AQ==","pin_file":"/p",` +
		`"data":"AAA="}`
	q, err := readRequest(strings.NewReader(text))
	check(t, err)
	if q.Do != "wrap" || q.Library != "/l" || q.Object != "o" || len(q.Data) != 2 || q.ID[0] != 1 {
		t.Errorf("read %+v", q)
	}
	for err, want := range map[error]answer{
		errors.New("no"): {Error: "no"}, pinError{"no"}: {Error: "no", PIN: true}, nil: {Data: []byte{7}},
	} {
		var out bytes.Buffer
		check(t, writeAnswer(&out, []byte{7}, err))
		var got answer
		check(t, json.Unmarshal(out.Bytes(), &got))
		if got.Error != want.Error || got.PIN != want.PIN || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%v is written as %s", err, out.String())
		}
	}
}

func TestNothingToLoad(t *testing.T) {
	pin := file(t, 0o600, "1234")
	for library, says := range map[string]string{
		filepath.Join(t.TempDir(), "none.so"): "there is no PKCS#11 library",
		pin:                                   "can't be loaded",
	} {
		_, err := open(where{Library: library, Token: "a", Object: "b", PINFile: pin}, reading)
		requireSays(t, library, err, says)
	}
	_, err := request{Do: "sign"}.serve()
	requireSays(t, "another operation", err, "is no operation")
	for _, args := range [][]string{{}, {"use", "more"}, {"make-key"}, {"make-key", "--token=a"},
		{"none"}} {
		if err := run(args); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}

// A library that prints, and a request that is none: what the program answers is one object, or it
// says why not and ends with 1.
func TestNoisyLibrary(t *testing.T) {
	dir := t.TempDir()
	tool := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	program, noisy := filepath.Join(dir, "program"), filepath.Join(dir, "noisy.so")
	source := filepath.Join(dir, "noisy.c")
	check(t, os.WriteFile(source, []byte("#include <stdio.h>\n__attribute__((constructor)) "+
		"static void n(void) { puts(\"noise\"); fputs(\"noise\", stderr); fflush(stdout); }\n"), 0o600))
	tool("cc", "-shared", "-fPIC", "-o", noisy, source)
	tool("go", "build", "-o", program, ".")
	asked := func(text string) (stdout, stderr string, code int) {
		cmd := exec.Command(program, "use")
		var out, said strings.Builder
		cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = strings.NewReader(text), &out, &said, []string{}
		_ = cmd.Run()
		return out.String(), said.String(), cmd.ProcessState.ExitCode()
	}
	q, err := json.Marshal(request{where{Library: noisy, Token: "a", Object: "b",
		PINFile: file(t, 0o600, "1234")}, "wrap", make([]byte, keySize)})
	check(t, err)
	out, said, code := asked(string(q))
	var a answer
	if json.Unmarshal([]byte(out), &a) != nil || !strings.Contains(a.Error, "can't be loaded") ||
		said != "" || code != 0 {
		t.Errorf("it answers %q, says %q and ends with %d", out, said, code)
	}
	if out, said, code := asked("nothing"); out != "" || code != 1 ||
		!strings.Contains(said, "no request of a node") {
		t.Errorf("asked for nothing it answers %q, says %q and ends with %d", out, said, code)
	}
}
