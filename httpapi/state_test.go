package httpapi_test

import (
	"fmt"
	"testing"
)

// A digest says what a node holds without saying anything of it, and can be asked for at any index
// that is remembered.
func TestStateNamesWhatANodeHolds(t *testing.T) {
	s := unsealed(t)
	state := func(query string, status int) answer {
		t.Helper()
		a := s.operate("GET", "/v1/keyquorum/state"+query, s.token, "")
		if a.status != status {
			t.Fatalf("state%s: %d %s, want %d", query, a.status, a.body, status)
		}
		return a
	}
	now := state("", 200)
	s.operate("POST", "/v1/keyquorum/vaults", s.token, `{"name":"changes-it"}`)
	if later := state("", 200); later.at("data", "digest") == now.at("data", "digest") {
		t.Error("a change left the digest as it was")
	}
	index := uint64(now.at("data", "index").(float64))
	if then := state(fmt.Sprint("?index=", index), 200); then.at("data", "digest") != now.at("data",
		"digest") || then.at("data", "node_id") != now.at("data", "node_id") {
		t.Errorf("at index %d it was %s and is %s now", index, now.body, then.body)
	}
	state("?index=x", 400)
}
