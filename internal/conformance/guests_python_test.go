package conformance_test

import (
	"os/exec"
	"path/filepath"
	"strings"
)

// pythonVersions prints the packages of the suite and their versions, and fails where one is
// missing.
const pythonVersions = `
import azure.identity, azure.keyvault.keys, azure.keyvault.secrets
from importlib.metadata import version
names = "azure-identity", "azure-keyvault-keys", "azure-keyvault-secrets"
print(", ".join(name + " " + version(name) for name in names))`

// python is an interpreter that has the packages, and what it says of them. Debian puts them where
// only its own interpreter looks, which need not be the first in the path.
func python() (interpreter, versions string, err error) {
	for _, candidate := range []string{"python3", "/usr/bin/python3"} {
		path, err := exec.LookPath(candidate)
		if err != nil {
			continue
		}
		if out, err := exec.Command(path, "-c", pythonVersions).Output(); err == nil {
			return path, strings.TrimSpace(string(out)), nil
		}
	}
	return "", "", absence("no Python here has azure-identity, azure-keyvault-keys and " +
		"azure-keyvault-secrets: Debian's package python3-azure has")
}

func lookForPython(string, string) error {
	_, _, err := python()
	return err
}

// pythonSuite has a test for each module, which tells the module's tests as subtests.
func pythonSuite(name string) (suite, error) {
	interpreter, versions, err := python()
	if err != nil {
		return suite{}, err
	}
	s := suite{name: name, title: "Python: " + versions}
	if s.dir, err = filepath.Abs(filepath.Join("testdata", name)); err != nil {
		return s, err
	}
	s.run = func(test string) []string { return []string{interpreter, "golike.py", test + "_test"} }
	s.tests, err = files(s.dir, "_test.py")
	return s, err
}
