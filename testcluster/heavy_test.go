package testcluster_test

import (
	"bytes"
	"os"
	"testing"
)

// heavy leaves a test to the run without the race detector, where make test asks for it: under the
// detector it takes minutes, and what it does others do there too. A plain go test -race runs it.
func heavy(t *testing.T) {
	t.Helper()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(makefile, []byte(t.Name())) {
		t.Fatalf("the Makefile's HEAVY does not name %s: make test would never run it", t.Name())
	}
	if os.Getenv("KEYQUORUM_HEAVY") == "later" {
		t.Skip("make test runs this without the race detector")
	}
}
