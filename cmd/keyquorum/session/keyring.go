package session

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/zalando/go-keyring"
)

// Where a login is kept in the system's keyring.
const (
	keyringService = "keyquorum"
	keyringUser    = "login"
)

// keyringPatience is how long the keyring may take to answer: it may ask its owner for a password.
const keyringPatience = 30 * time.Second

// errMute is that of a keyring that did not answer.
var errMute = errors.New("the system's keyring does not answer; without DBUS_SESSION_BUS_ADDRESS " +
	"and XDG_RUNTIME_DIR a login is kept in a file")

// hasKeyring says whether there is a session bus, at which the system's keyring would answer.
// Without one the library would start one, which is not for us to do.
func hasKeyring() bool {
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	folder := os.Getenv("XDG_RUNTIME_DIR")
	_, err := os.Stat(filepath.Join(folder, "bus"))
	return folder != "" && err == nil
}

func keepInKeyring(login string) error {
	_, err := patiently(func() (string, error) {
		return "", keyring.Set(keyringService, keyringUser, login)
	})
	return err
}

func fromKeyring() (login string, err error) {
	return patiently(func() (string, error) { return keyring.Get(keyringService, keyringUser) })
}

func removeFromKeyring() error {
	_, err := patiently(func() (string, error) {
		return "", keyring.Delete(keyringService, keyringUser)
	})
	return err
}

// patiently asks the keyring, whose library waits for ever. What it asked goes on until the program
// ends.
func patiently(ask func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := ask()
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		return a.text, a.err
	case <-time.After(keyringPatience):
		return "", errMute
	}
}
