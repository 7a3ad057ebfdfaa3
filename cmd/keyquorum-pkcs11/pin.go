package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/miekg/pkcs11"
)

// A wrong PIN is counted by the token, which locks after a few. So a node does not ask again by
// itself after a pinError, and the last try is left to people.

// A pinError is a PIN that the token does not take, or that it must not be shown.
type pinError struct{ text string }

func (e pinError) Error() string { return e.text }

// maxPIN is longer than any token's, in bytes.
const maxPIN = 255

// readPIN reads a file of one line, which not every user of the machine may read.
func readPIN(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the file with the PIN: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", fmt.Errorf("the file with the PIN: %w", err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no file with a PIN", path)
	case info.Mode().Perm()&0o007 != 0:
		return "", fmt.Errorf("every user of the machine can use %s, which holds a PIN: chmod o-rwx %s",
			path, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPIN+3))
	if err != nil {
		return "", fmt.Errorf("the file with the PIN: %w", err)
	}
	defer clear(text)
	pin := bytes.TrimRight(text, "\r\n")
	if len(pin) == 0 || len(pin) > maxPIN || bytes.ContainsAny(pin, "\r\n\x00") {
		return "", fmt.Errorf("%s holds no PIN: one line of at most %d bytes", path, maxPIN)
	}
	return string(pin), nil
}

// pinState looks, before a login, at what the token says of earlier ones.
func pinState(about string, flags uint) error {
	switch {
	case flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return pinError{locked(about)}
	case flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return pinError{about + " locks after one more wrong PIN, so none was given to it: log in with " +
			"the token's own tool (pkcs11-tool --login), which sets its count back"}
	}
	return nil
}

func locked(about string) string {
	return about + " has locked the PIN of its user: its security officer sets another (pkcs11-tool " +
		"--init-pin)"
}

// refused says why a login failed.
func (t *token) refused(err error, file string) error {
	again := "; it is not shown to the token again by itself, which locks after a few wrong PINs"
	var code pkcs11.Error
	_ = errors.As(err, &code)
	switch code {
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE:
		return pinError{t.about + " refuses the PIN in " + file + ": put the right one there" + again}
	case pkcs11.CKR_PIN_LOCKED:
		return pinError{locked(t.about)}
	case pkcs11.CKR_PIN_EXPIRED:
		return pinError{t.about +
			" says that its PIN has expired: set another one with the token's own " +
			"tool (pkcs11-tool --change-pin), and put it into " + file + again}
	case pkcs11.CKR_USER_PIN_NOT_INITIALIZED:
		return pinError{t.about + " has no PIN for its user yet: its security officer sets one " +
			"(pkcs11-tool --init-pin)"}
	}
	return fmt.Errorf("%s takes no login: %w", t.about, brief(err))
}
