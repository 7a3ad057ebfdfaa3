package httpapi_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keyquorum/internal/wrapper"
	"keyquorum/node"
)

// withRig is a node that can use one key file. The function takes it away.
func withRig(t *testing.T) (s *service, lose func()) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rig.key")
	if err := os.WriteFile(path, []byte(strings.Repeat("5a", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, key, err := wrapper.Parse("rig=keyfile:" + path)
	if err != nil {
		t.Fatal(err)
	}
	s = newService(t, func(c *node.Config) {
		c.Wrappers = map[string]node.ForeignKey{"rig": key}
	})
	return s, func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// A wrapper is added with shares, listed, tested and removed, and each of these is recorded.
func TestSealWrappers(t *testing.T) {
	s, lose := withRig(t)
	if err := s.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	s.usage.take()
	const wrappers, addition = "/v1/keyquorum/seal/wrappers", "/v1/keyquorum/seal/addition"
	requireRefused(t, s.operate("PUT", addition, s.token, `{"name":"none"}`), "names no seal wrapper")
	requireRefused(t, s.operate("PUT", addition+"/share", s.token,
		fmt.Sprintf(`{"key":%q,"nonce":"x"}`, s.shares[0])), "no seal wrapper is being added")
	a := s.operate("PUT", addition, s.token, `{"name":"rig"}`)
	if a.at("data", "started") != true || a.at("data", "kind") != "keyfile" ||
		a.at("data", "required") != 2.0 {
		t.Fatalf("begun: %d %s", a.status, a.body)
	}
	nonce, _ := a.at("data", "nonce").(string)
	for i, share := range s.shares[1:] {
		a = s.operate("PUT", addition+"/share", s.token,
			fmt.Sprintf(`{"key":%q,"nonce":%q}`, share, nonce))
		if a.status != 200 || a.at("data", "complete") != (i == 1) {
			t.Fatalf("share %d: %d %s", i, a.status, a.body)
		}
	}
	if a := s.operate("GET", wrappers, s.token, ""); !strings.Contains(a.body, `"name":"rig"`) ||
		!strings.Contains(a.body, `"configured":true`) || strings.Contains(a.body, `"opens"`) {
		t.Errorf("listed: %d %s", a.status, a.body)
	}
	for _, opens := range []bool{true, false} {
		a := s.operate("PUT", wrappers+"/test", s.token, "")
		if !strings.Contains(a.body, fmt.Sprintf(`"opens":%t`, opens)) {
			t.Errorf("tested: %d %s", a.status, a.body)
		}
		if opens {
			lose()
		}
	}
	requireRefused(t, s.operate("DELETE", wrappers+"/none", s.token, ""), "there is no seal wrapper")
	if a := s.operate("DELETE", wrappers+"/rig", s.token, ""); a.status != 204 {
		t.Errorf("removed: %d %s", a.status, a.body)
	}
	if a := s.operate("GET", wrappers, s.token, ""); !strings.Contains(a.body, `"wrappers":[]`) {
		t.Errorf("listed: %d %s", a.status, a.body)
	}
	var got []string
	for _, u := range s.usage.take() {
		got = append(got, strings.TrimSuffix(fmt.Sprint(u["operation"], " ", u["status"], " ",
			u["object"], " ", u["detail"]), " <nil>"))
	}
	want := []string{
		"admin/wrappers/init 400 none", "admin/wrappers/add 400 <nil>",
		"admin/wrappers/init 200 rig kind=keyfile", "admin/wrappers/add 200 <nil> share 1 of 2",
		"admin/wrappers/add 202 <nil> a seal wrapper is made",
		"admin/wrappers/add 200 <nil> added=rig kind=keyfile", "admin/wrappers/list 200 <nil>",
		"admin/wrappers/test 200 <nil> opened=1", "admin/wrappers/test 200 <nil> opened=0 not=rig",
		"admin/wrappers/remove 400 none", "admin/wrappers/remove 200 rig",
		"admin/wrappers/list 200 <nil>",
	}
	if !slices.Equal(got, want) {
		t.Errorf("recorded\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A node that an operator has sealed says that it waits for shares.
func TestHeldSealShows(t *testing.T) {
	s, _ := withRig(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	if a := s.operate("PUT", "/v1/sys/seal", s.token, ""); a.status != 204 {
		t.Fatalf("seal: %d %s", a.status, a.body)
	}
	a := s.operate("GET", "/v1/sys/seal-status", "", "")
	if a.at("data", "unattended_unseal") != "held" && a.json["unattended_unseal"] != "held" {
		t.Errorf("seal status: %s", a.body)
	}
}
