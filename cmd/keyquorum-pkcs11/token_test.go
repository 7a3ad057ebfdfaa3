package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"
)

// libraries are where systems have SoftHSM's, below the folder that KEYQUORUM_SOFTHSM names, or /.
var libraries = []string{"usr/lib/softhsm/libsofthsm2.so", "usr/lib/*/softhsm/libsofthsm2.so",
	"usr/lib64/pkcs11/libsofthsm2.so", "usr/local/lib/softhsm/libsofthsm2.so"}

const pin = "648219"

// softHSM is the library, with a folder of this test for its tokens.
func softHSM(t *testing.T) (library string) {
	t.Helper()
	for _, l := range libraries {
		found, _ := filepath.Glob(filepath.Join("/", os.Getenv("KEYQUORUM_SOFTHSM"), l))
		if len(found) > 0 && library == "" {
			library = found[0]
		}
	}
	if library == "" {
		t.Skip("there is no SoftHSM (libsofthsm2.so) on this machine to keep a key in")
	}
	tokens := t.TempDir()
	t.Setenv("SOFTHSM2_CONF", file(t, 0o600, "directories.tokendir = "+tokens+"\n"))
	return library
}

// initToken makes a token with a user, in the slot that has none yet.
func initToken(t *testing.T, library, label string) {
	t.Helper()
	module, err := load(library)
	check(t, err)
	at := token{module: module}
	defer at.close()
	slots, err := module.GetSlotList(true)
	check(t, err)
	slot := slots[slices.IndexFunc(slots, func(s uint) bool {
		info, err := module.GetTokenInfo(s)
		return err == nil && info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0
	})]
	check(t, module.InitToken(slot, "so-"+pin, label))
	session, err := module.OpenSession(slot, uint(writing))
	check(t, err)
	check(t, module.Login(session, pkcs11.CKU_SO, "so-"+pin))
	check(t, module.InitPIN(session, pin))
}

func (w where) asks(do string, data []byte) ([]byte, error) { return request{w, do, data}.serve() }

func TestKeyOfAToken(t *testing.T) {
	library := softHSM(t)
	initToken(t, library, "keys")
	initToken(t, library, "other")
	w := where{Library: library, Token: "keys", Object: "root", PINFile: file(t, 0o600, pin+"\n")}
	for _, object := range []string{"root", "second"} {
		check(t, run([]string{"make-key", "--module", library, "--token", "keys", "--object", object,
			"--pin-file", w.PINFile}))
	}
	err := run([]string{"make-key", "--module", library, "--token", "keys", "--object", "root",
		"--pin-file", w.PINFile})
	requireSays(t, "the same again", err, "already")
	secret := bytes.Repeat([]byte{0xA7}, keySize)
	wrapped, err := w.asks("wrap", secret)
	check(t, err)
	again, err := w.asks("wrap", secret)
	check(t, err)
	if bytes.Equal(wrapped, again) || bytes.Contains(wrapped, secret) {
		t.Errorf("wrapped %x, and %x", wrapped, again)
	}
	opened, err := w.asks("unwrap", wrapped)
	if err != nil || !bytes.Equal(opened, secret) {
		t.Errorf("opened %x, %v", opened, err)
	}
	for i := range wrapped {
		altered := bytes.Clone(wrapped)
		altered[i] ^= 1
		_, err := w.asks("unwrap", altered)
		requireSays(t, fmt.Sprint("byte ", i), err, "does not open what was wrapped")
	}
	_, err = w.asks("unwrap", wrapped[1:])
	requireSays(t, "cut", err, "was not wrapped by a token")
	_, err = w.asks("wrap", secret[1:])
	requireSays(t, "a short key", err, "31 bytes")
	for what, edit := range map[string]func(*where){
		"does not open what was wrapped": func(w *where) { w.Object = "second" },
		"has no AES key \"third\"":       func(w *where) { w.Object = "third" },
		"has no AES key \"id 07\"":       func(w *where) { w.Object, w.ID = "", []byte{7} },
		"has several AES keys":           func(w *where) { w.Object = "" },
		"it has \"":                      func(w *where) { w.Token = "none" },
		"has no token \"keys0\"":         func(w *where) { w.Serial = "0" },
	} {
		w := w
		edit(&w)
		_, err := w.asks("unwrap", wrapped)
		requireSays(t, what, err, what)
	}
}

// A key that can be read out of its token wraps nothing.
func TestKeyThatCanLeave(t *testing.T) {
	library := softHSM(t)
	initToken(t, library, "keys")
	w := where{Library: library, Token: "keys", Object: "loose", PINFile: file(t, 0o600, pin)}
	at, err := open(w, writing)
	check(t, err)
	template := append(aesKeys(), pkcs11.NewAttribute(pkcs11.CKA_LABEL, "loose"),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, keySize),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, true))
	_, err = at.module.GenerateKey(at.session,
		[]*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}, template)
	check(t, err)
	at.close()
	_, err = w.asks("wrap", make([]byte, keySize))
	requireSays(t, "a key that can be read out", err, "can be read out of it")
}

// A wrong PIN is an error that a node must not answer by asking again, and that does not show it.
func TestWrongPIN(t *testing.T) {
	library := softHSM(t)
	initToken(t, library, "keys")
	for _, wrong := range []string{"111111", "1"} {
		w := where{Library: library, Token: "keys", Object: "root", PINFile: file(t, 0o600, wrong)}
		_, err := w.asks("unwrap", make([]byte, nonceSize+keySize+tagSize))
		requireSays(t, wrong, err, "refuses the PIN in "+w.PINFile)
		if !errors.As(err, new(pinError)) || strings.Contains(err.Error(), "111111") {
			t.Errorf("a wrong PIN: %v", err)
		}
	}
}

// What make-key shows can be put into a configuration as it is.
func TestLineIsShown(t *testing.T) {
	w := where{Library: "/l/a b,c&d", Token: "a;b", Serial: "1", Object: "r=t", PINFile: "/p"}
	want := "pkcs11:token=a%3Bb;serial=1;object=r%3Dt?module-path=/l/a%20b%2Cc%26d&pin-source=/p"
	if got := w.line(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
