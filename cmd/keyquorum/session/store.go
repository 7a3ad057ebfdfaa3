package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A Login is what `keyquorum login` keeps: an application's credential, and where its vault is.
type Login struct {
	Authority string   `json:"authority,omitempty"` // https URL; "": Microsoft's
	Tenant    string   `json:"tenant"`
	ClientID  string   `json:"client_id"`
	Secret    string   `json:"client_secret"`
	Vaults    []string `json:"vaults,omitempty"`  // URLs of one vault, one a node
	CACert    string   `json:"ca_cert,omitempty"` // absolute path of a PEM file
}

// store keeps a login in the system's keyring, or where there is none in a file that only its owner
// reads. It says where.
func (l *Login) store() (where string, err error) {
	text, err := json.Marshal(l)
	if err != nil {
		return "", err
	}
	file, err := loginFile()
	if err != nil {
		return "", err
	}
	if hasKeyring() && keepInKeyring(string(text)) == nil {
		return "the system's keyring", removeIfThere(file)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", err
	}
	return file, replace(file, text)
}

// replace writes a file of 0600 whole, or leaves the one that is there.
func replace(file string, text []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), ".login-*") // 0600
	if err != nil {
		return err
	}
	_, err = temporary.Write(text)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

// storedLogin is the login that was kept; nil: none.
func storedLogin() (*Login, error) {
	text, where, err := storedText()
	if err != nil || text == nil {
		return nil, err
	}
	var l Login
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, fmt.Errorf(
			"the login in %s cannot be read: keyquorum logout removes it, keyquorum login "+
				"makes another",
			where,
		)
	}
	return &l, nil
}

func storedText() (text []byte, where string, err error) {
	file, err := loginFile()
	if err != nil {
		return nil, "", nil // without a home there is no login either
	}
	text, err = os.ReadFile(file)
	switch {
	case err == nil:
		return text, file, onlyOwners(file)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, file, err
	case !hasKeyring():
		return nil, "", nil
	}
	kept, err := fromKeyring()
	switch {
	case errors.Is(err, errMute):
		return nil, "", err
	case err != nil: // it holds no login, or is none
		return nil, "", nil
	}
	return []byte(kept), "the system's keyring", nil
}

// onlyOwners refuses a login that others can read, as ssh does with its keys.
func onlyOwners(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return fmt.Errorf(
			"others can read %s (mode %o): chmod 600 it, and change the client secret in it",
			file,
			info.Mode().Perm(),
		)
	}
	return nil
}

// forget removes the login from wherever it is; there says whether there was one.
func forget() (there bool, err error) {
	file, err := loginFile()
	if err != nil {
		return false, err
	}
	there = hasKeyring() && removeFromKeyring() == nil
	err = os.Remove(file)
	if errors.Is(err, fs.ErrNotExist) {
		return there, nil
	}
	return true, err
}

func removeIfThere(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// loginFile is login.json in the user's configuration folder.
func loginFile() (string, error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("no folder for the login: %w", err)
	}
	return filepath.Join(folder, "keyquorum", "login.json"), nil
}
