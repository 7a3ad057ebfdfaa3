package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/miekg/pkcs11"
)

// A token is a session with one, logged in.
type token struct {
	module  *pkcs11.Ctx
	session pkcs11.SessionHandle
	about   string // which it is, for people
}

// A mode is what a session is for.
type mode uint

const (
	reading mode = pkcs11.CKF_SERIAL_SESSION
	writing mode = pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION
)

// open loads the module, finds the token and logs in.
func open(w where, m mode) (*token, error) {
	pin, err := readPIN(w.PINFile)
	if err != nil {
		return nil, err
	}
	module, err := load(w.Library)
	if err != nil {
		return nil, err
	}
	t := &token{module: module}
	if err := t.begin(w, m, pin); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// close ends the session, if there is one, and the login with it.
func (t *token) close() {
	_ = t.module.Finalize()
	t.module.Destroy()
}

// load begins with a module.
func load(path string) (*pkcs11.Ctx, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no PKCS#11 library: %w: install the token's software, or "+
			"correct module-path", err)
	}
	module := pkcs11.New(path)
	if module == nil {
		return nil, fmt.Errorf("%s can't be loaded as a PKCS#11 library: see with \"ldd %s\" whether it "+
			"is for this machine, and finds what it needs", path, path)
	}
	if err := module.Initialize(); err != nil {
		module.Destroy()
		return nil, fmt.Errorf("%s does not start: %w: see whether it finds its own configuration "+
			"(env=NAME=VALUE in the wrapper's line)", path, brief(err))
	}
	return module, nil
}

// begin finds the token and logs in.
func (t *token) begin(w where, m mode, pin string) error {
	slot, info, err := t.slot(w)
	if err != nil {
		return err
	}
	t.about = fmt.Sprintf("token %q", info.Label)
	if err := pinState(t.about, info.Flags); err != nil {
		return err
	}
	if t.session, err = t.module.OpenSession(slot, uint(m)); err != nil {
		return fmt.Errorf("no session with %s: %w", t.about, brief(err))
	}
	err = t.module.Login(t.session, pkcs11.CKU_USER, pin)
	if err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
		return t.refused(err, w.PINFile)
	}
	return nil
}

// slot finds the one token that has the label, and the serial number, that are asked for.
func (t *token) slot(w where) (slot uint, info pkcs11.TokenInfo, err error) {
	slots, err := t.module.GetSlotList(true)
	if err != nil {
		return 0, info, fmt.Errorf("%s shows no tokens: %w", w.Library, brief(err))
	}
	found := 0
	var others []string
	for _, s := range slots {
		i, err := t.module.GetTokenInfo(s)
		label, serial := trim(i.Label), trim(i.SerialNumber)
		switch {
		case err != nil || i.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0:
		case w.Token != "" && w.Token != label || w.Serial != "" && w.Serial != serial:
			others = append(others, fmt.Sprintf("%q (serial %s)", label, serial))
		default:
			found++
			slot, info = s, i
			info.Label = label
		}
	}
	wanted := fmt.Sprintf("%q", w.Token+w.Serial)
	switch {
	case found == 1:
		return slot, info, nil
	case found > 1:
		return 0, info, fmt.Errorf("%s has %d tokens %s: name one by serial=", w.Library, found, wanted)
	case len(others) == 0:
		return 0, info, fmt.Errorf("%s has no token: see whether the device is there, and whether the "+
			"user of the node may reach it", w.Library)
	}
	return 0, info, fmt.Errorf("%s has no token %s: it has %s", w.Library, wanted,
		strings.Join(others[:min(len(others), 4)], ", "))
}

// trim takes away what fills a field of a token.
func trim(s string) string { return strings.TrimRight(s, " \x00") }

// find finds the one AES key that has the label, and the id, that are asked for.
func (t *token) find(w where) (pkcs11.ObjectHandle, error) {
	template := aesKeys()
	if w.Object != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, w.Object))
	}
	if len(w.ID) > 0 {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, w.ID))
	}
	keys, err := t.objects(template)
	named := w.Object
	if named == "" {
		named = fmt.Sprintf("id %x", w.ID)
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s shows no keys: %w", t.about, brief(err))
	case len(keys) == 0:
		return 0, fmt.Errorf("%s has no AES key %q: \"keyquorum-pkcs11 make-key\" makes one", t.about,
			named)
	case len(keys) > 1:
		return 0, fmt.Errorf("%s has several AES keys %q: name one by id=", t.about, named)
	}
	return keys[0], nil
}

func aesKeys() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES),
	}
}

// objects are the first two: it is asked for one.
func (t *token) objects(template []*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	if err := t.module.FindObjectsInit(t.session, template); err != nil {
		return nil, err
	}
	found, _, err := t.module.FindObjects(t.session, 2)
	return found, errors.Join(err, t.module.FindObjectsFinal(t.session))
}

// is says whether an attribute of a key can be read and has a value.
func (t *token) is(key pkcs11.ObjectHandle, attribute uint, value bool) bool {
	got, err := t.module.GetAttributeValue(t.session, key,
		[]*pkcs11.Attribute{pkcs11.NewAttribute(attribute, nil)})
	want := pkcs11.NewAttribute(attribute, value)
	return err == nil && len(got) == 1 && bytes.Equal(got[0].Value, want.Value)
}

// brief is the name of what a module has returned, without the library's own words around it.
func brief(err error) error {
	if _, name, ok := strings.Cut(err.Error(), "CKR_"); ok {
		return errors.New("CKR_" + name)
	}
	return err
}
