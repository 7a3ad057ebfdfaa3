// Package heavy marks tests that take so long under the race detector that make test runs them
// without it.
package heavy

import (
	"os"
	"testing"
)

// Test leaves the test that calls it to make test's run without the race detector. The Makefile
// finds the test by this call, which must be its first line. A plain go test -race runs it.
func Test(t *testing.T) {
	t.Helper()
	if os.Getenv("KEYQUORUM_HEAVY") == "later" {
		t.Skip("make test runs this without the race detector")
	}
}
