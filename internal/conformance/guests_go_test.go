package conformance_test

import (
	"path/filepath"
	"strings"
)

// The Go guests are packages of a module of their own, and the program sops is built from its own.
const (
	goGuests    = "testdata/go"
	sopsProgram = "sops-program"
	sopsModule  = "github.com/getsops/sops/v3"
)

const goProxy = "the Go module proxy"

func buildGo(name, dir string) error {
	if err := fetchAll(goProxy, goGuests, "go", "list", "-deps", "-test", "./"+name); err != nil {
		return err
	}
	return run(goGuests, "go", "test", "-c", "-o", filepath.Join(dir, name), "./"+name)
}

func track1Suite(name string) (suite, error) {
	return goGuest(name, "Go, track 1:", goGuests, "github.com/Azure/azure-sdk-for-go")
}

func autoUnsealSuite(name string) (suite, error) {
	return goGuest(name, "Auto-unseal:", goGuests,
		"github.com/hashicorp/go-kms-wrapping/wrappers/azurekeyvault/v2")
}

func sopsSuite(name string) (suite, error) {
	return goGuest(name, "SOPS:", filepath.Join("testdata", "sops"), sopsModule)
}

// goGuest is the suite of a guest whose title names a module, in the version that the folder's
// go.mod asks for.
func goGuest(name, title, dir, path string) (suite, error) {
	m, err := fetch(dir, path)
	if err != nil {
		return suite{}, err
	}
	named := strings.TrimPrefix(path, "github.com/")
	return goSuite(name, strings.Join([]string{title, named, m.Version}, " "), built(name), "")
}

// buildSops builds the tests, and the program with what its own go.mod names.
func buildSops(name, dir string) error {
	if err := buildGo(name, dir); err != nil {
		return err
	}
	pins := filepath.Join("testdata", "sops")
	if err := fetchAll(goProxy, pins, "go", "mod", "download", sopsModule); err != nil {
		return err
	}
	m, err := fetch(pins, sopsModule)
	if err != nil {
		return err
	}
	if err := fetchAll(goProxy, m.Dir, "go", "list", "-deps", "./cmd/sops"); err != nil {
		return err
	}
	return run(m.Dir, "go", "build", "-o", filepath.Join(dir, sopsProgram), "./cmd/sops")
}
