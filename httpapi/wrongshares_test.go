package httpapi_test

import (
	"strings"
	"testing"
)

// Many wrong shares from one source are answered with 429. A good one is taken all the same.
func TestWrongSharesAreSlowed(t *testing.T) {
	s := newService(t)
	if err := s.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	if a := s.operate("PUT", "/v1/sys/seal", s.token, ""); a.status != 204 {
		t.Fatalf("seal: %d %s", a.status, a.body)
	}
	wrong := `{"key":"` + strings.Repeat("01", 33) + `"}`
	statuses := map[int]int{}
	for n := range 60 {
		path := []string{"/v1/sys/unseal", "/v1/keyquorum/unseal"}[n%2]
		a := s.operate("PUT", path, "", wrong)
		statuses[a.status]++
		if !strings.Contains(a.body, "invalid key") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if statuses[400] < 20 || statuses[429] == 0 || statuses[400]+statuses[429] != 60 {
		t.Errorf("60 wrong shares are answered %v", statuses)
	}
	if a := s.operate("PUT", "/v1/sys/unseal", "", `{"key":"`+s.shares[0]+`"}`); a.status != 200 ||
		a.at("progress") != 1.0 {
		t.Errorf("a good share: %d %s", a.status, a.body)
	}
}
