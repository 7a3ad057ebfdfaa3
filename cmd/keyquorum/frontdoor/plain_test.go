package frontdoor

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// What must be found nowhere: values, tokens, client secrets.

var plain struct {
	sync.Mutex
	values      []string
	credentials []string
}

// keepOut has a value looked for in all that people, logs and files get to see from now on.
func keepOut(text string) {
	plain.Lock()
	defer plain.Unlock()
	plain.values = append(plain.values, text)
}

// keepCredentialOut does so for what a dev cluster writes down itself.
func keepCredentialOut(text string) {
	plain.Lock()
	defer plain.Unlock()
	plain.credentials = append(plain.credentials, text)
}

// private is a value that nothing else has, and that is to be kept out.
func private() string {
	text := "private-" + rand.Text()
	keepOut(text)
	return text
}

// nobodys is a client secret of no application. It stands in environments, as such secrets do.
func nobodys() string {
	text := "nobodys-" + rand.Text()
	keepCredentialOut(text)
	return text
}

// plainIn is a text in b that must not be there, shortened; "" for none.
func plainIn(b []byte) string { return cmp.Or(valueIn(b), credentialIn(b)) }

func valueIn(b []byte) string {
	plain.Lock()
	defer plain.Unlock()
	return foundIn(b, plain.values)
}

func credentialIn(b []byte) string {
	plain.Lock()
	defer plain.Unlock()
	return foundIn(b, plain.credentials)
}

func foundIn(b []byte, texts []string) string {
	for _, text := range texts {
		if bytes.Contains(b, []byte(text)) {
			return text[:min(len(text), 12)] + "…"
		}
	}
	return ""
}

// furnished are the files of a dev cluster that hold, by their purpose, its token and its
// application's secret.
var furnished = []string{"dev.json", "dev.log", "env", "env-1", "env-2", "env-3"}

// holdsNothingPlain looks through all that the cluster has written: logs, usage logs, data.
func (h *house) holdsNothingPlain() error {
	return lookThrough(h.folder, func(name string) bool { return slices.Contains(furnished, name) })
}

// lookThrough refuses a folder with a file in which something stands that is to be kept out. Some
// files may hold credentials. Files may go while it looks.
func lookThrough(folder string, mayHoldCredentials func(name string) bool) error {
	return filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !e.Type().IsRegular() {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		found := valueIn(b)
		if found == "" && !mayHoldCredentials(e.Name()) {
			found = credentialIn(b)
		}
		if found != "" {
			err = fmt.Errorf("%s holds %s", strings.TrimPrefix(path, folder), found)
		}
		return err
	})
}
