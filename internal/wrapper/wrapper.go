// Package wrapper uses keys that are not the cluster's: each wraps and unwraps a key of 32 bytes, by
// which a node opens the root key without its unseal shares (seal.Wrapper). A node's configuration
// names them in one line each, and the files that hold what it takes to use them:
//
//	NAME=KIND:WHERE
//
// Nothing is read before a key is used, and then anew each time: a file may come late, and change.
package wrapper

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// A Key is a foreign key. Its errors hold no secrets; what to do is in them. One with a method
// Final() bool that says true forbids to ask again without being told to (PINError).
type Key interface {
	Kind() string
	About() string // which key it is, for people; it may read a file
	Wrap(ctx context.Context, key []byte) (wrapped []byte, err error)
	Unwrap(ctx context.Context, wrapped []byte) (key []byte, err error)
	Files() []string // that hold secrets of it
	Check() error    // what is wrong with its files, without a call to anybody
}

// keySize is that of every key that is wrapped, in bytes.
const keySize = 32

// maxFile bounds a file with a key or a credential, in bytes.
const maxFile = 64 << 10

// errNotOurs: what a foreign key gave back is not what any wrapper has.
var errNotOurs = errors.New("what was unwrapped is no wrapping key")

// kinds are those of foreign keys, each with what makes one of its WHERE.
var kinds = map[string]func(where string) (Key, error){
	"age":      newAge,
	"keyfile":  newKeyFile,
	"keyvault": newKeyVault,
	"pkcs11":   newTokenKey,
	"transit":  newTransit,
}

// Parse reads NAME=KIND:WHERE.
func Parse(text string) (name string, key Key, err error) {
	name, rest, named := strings.Cut(text, "=")
	kind, where, ok := strings.Cut(rest, ":")
	if !named || !ok || name == "" || where == "" {
		return "", nil, errors.New("a seal wrapper is NAME=KIND:WHERE, " +
			"as in spare=age:/etc/keyquorum/age.txt")
	}
	if !isName(name) {
		return "", nil, fmt.Errorf("%q: a wrapper's name has 1 to 64 characters of a-z, 0-9 and -", name)
	}
	make := kinds[kind]
	if make == nil {
		return "", nil, fmt.Errorf("%q is no kind of wrapper: %s", kind,
			strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	key, err = make(where)
	if err != nil {
		return "", nil, fmt.Errorf("wrapper %s: %w", name, err)
	}
	return name, key, nil
}

func isName(name string) bool {
	strange := func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' }
	return len(name) <= 64 && strings.IndexFunc(name, strange) < 0
}

// readSecret reads a small file. Its content is the caller's to clear.
func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return os.ReadFile(path)
}

// unwrapped refuses what can't be a wrapping key.
func unwrapped(key []byte) ([]byte, error) {
	if len(key) != keySize {
		clear(key)
		return nil, errNotOurs
	}
	return key, nil
}
