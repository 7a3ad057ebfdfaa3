package httpapi_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

func TestHealthOverHTTP(t *testing.T) {
	s := unsealed(t)
	// A read waits until the node leads: the shares may have come before its term was opened.
	if a := s.operate("GET", "/v1/auth/token/lookup-self", s.token, ""); a.status != 200 {
		t.Fatalf("lookup-self: %d %s", a.status, a.body)
	}
	if a := s.operate("GET", "/v1/sys/health", "", ""); a.status != 200 || a.json["sealed"] != false ||
		a.text("cluster_id") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.operate("HEAD", "/v1/sys/health?activecode=222", "", ""); a.status != 222 ||
		a.body != "" {
		t.Errorf("HEAD: %d %q", a.status, a.body)
	}
}

// The ceremony as `bao operator` performs it, with what can go wrong on the way.
func TestInitUnsealSeal(t *testing.T) {
	s := newService(t)
	if a := s.operate("GET", "/v1/sys/init", "", ""); a.status != 200 ||
		a.json["initialized"] != false {
		t.Errorf("init status: %d %s", a.status, a.body)
	}
	for _, body := range []string{``, `{"secret_shares":0,"secret_threshold":1}`,
		`{"secret_shares":256,"secret_threshold":3}`, `{"secret_shares":3,"secret_threshold":4}`,
		`{"secret_shares":3,"secret_threshold":1}`,
		`{"secret_shares":1,"secret_threshold":1,"pgp_keys":["x"]}`,
		`{"secret_shares":1,"secret_threshold":1,"recovery_shares":1}`, `{"secret_shares":"three"}`,
		`{`} {
		if a := s.operate("PUT", "/v1/sys/init", "", body); a.status != 400 {
			t.Errorf("init with %s: %d %s", body, a.status, a.body)
		}
	}
	if a := s.operate("PUT", "/v1/sys/unseal", "",
		`{"key":"`+strings.Repeat("ab", 33)+`"}`); a.status != 400 {
		t.Errorf("unseal before init: %d %s", a.status, a.body)
	}
	s.initialiseOnce(t, 3, 2)
	if a := s.operate("PUT", "/v1/sys/init", "",
		`{"secret_shares":1,"secret_threshold":1}`); a.status != 400 ||
		a.body != `{"errors":["Vault is already initialized"]}` {
		t.Errorf("second init: %d %s", a.status, a.body)
	}
	if a := s.operate("GET", "/v1/sys/leader", "", ""); a.status != 503 ||
		a.body != `{"errors":["Vault is sealed"]}` {
		t.Errorf("leader while sealed: %d %s", a.status, a.body)
	}
	s.unsealWithErrors(t)
	if a := s.operate("GET", "/v1/auth/token/lookup-self", s.token,
		""); a.status != 200 { // waits for a leader
		t.Errorf("lookup-self: %d %s", a.status, a.body)
	}
	if a := s.operate("GET", "/v1/sys/leader", "", ""); a.status != 200 ||
		a.json["ha_enabled"] != true || a.json["is_self"] != true {
		t.Errorf("leader: %d %s", a.status, a.body)
	}
	if a := s.operate("PUT", "/v1/sys/seal", "", ""); a.status != 403 {
		t.Errorf("seal without a token: %d %s", a.status, a.body)
	}
	s.usage.take()
	for range 2 {
		if a := s.operate("POST", "/v1/sys/seal", s.token, ""); a.status != 204 || a.body != "" {
			t.Errorf("seal: %d %s", a.status, a.body)
		}
	}
	if u := s.usage.take(); len(u) != 1 || u[0]["operation"] != "sys/seal" || u[0]["accessor"] == "" {
		t.Errorf("usage of seal: %v", u)
	}
	if a := s.operate("GET", "/v1/auth/token/lookup-self", s.token, ""); a.status != 503 {
		t.Errorf("after sealing: %d %s", a.status, a.body)
	}
}

// initialiseOnce lets several try at the same time: one wins.
func (s *service) initialiseOnce(t *testing.T, shares, threshold int) {
	t.Helper()
	answers := make([]answer, 4)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			answers[i] = s.operate("PUT", "/v1/sys/init", "",
				fmt.Sprintf(`{"secret_shares":%d,"secret_threshold":%d,"stored_shares":1}`, shares, threshold))
		})
	}
	wg.Wait()
	for _, a := range answers {
		if a.status == 400 {
			continue
		}
		if a.status != 200 || s.token != "" {
			t.Fatalf("init: %d %s, and another one won", a.status, a.body)
		}
		s.token = a.text("root_token")
		for i, k := range a.json["keys"].([]any) {
			s.shares = append(s.shares, k.(string))
			raw, _ := hex.DecodeString(k.(string))
			if b64 := a.json["keys_base64"].([]any)[i]; base64.StdEncoding.EncodeToString(raw) != b64 {
				t.Errorf("share %d is %s in hex and %s in base64", i, k, b64)
			}
		}
	}
	if len(s.shares) != shares || s.token == "" {
		t.Fatalf("init gave %d shares", len(s.shares))
	}
}

func (s *service) unsealWithErrors(t *testing.T) {
	t.Helper()
	foreign := strings.Repeat("00", 16) + s.shares[0][32:]
	for _, step := range []struct {
		name, body string
		status     int
		progress   float64
	}{
		{"nothing", ``, 400, 0},
		{"neither hex nor base64", `{"key":"!!"}`, 400, 0},
		{"short", `{"key":"abcd"}`, 400, 0},
		{"foreign", `{"key":"` + foreign + `"}`, 400, 0},
		{"the first", `{"key":"` + s.shares[0] + `"}`, 200, 1},
		{"the first again", `{"key":"` + s.shares[0] + `"}`, 200, 1},
		{"foreign after the first", `{"key":"` + foreign + `"}`, 400, 1},
		{"a stranger's reset", `{"reset":true}`, 400, 1},
		{"a reset with a foreign share", `{"reset":true,"key":"` + foreign + `"}`, 400, 1},
		{"reset", `{"reset":true,"key":"` + s.shares[2] + `"}`, 200, 0},
		{"migrate", `{"key":"` + s.shares[0] + `","migrate":true}`, 400, 0},
		{"the second", `{"key":"` + strings.ToUpper(s.shares[1]) + `"}`, 200, 1},
	} {
		a := s.operate("POST", "/v1/sys/unseal", "", step.body)
		status := s.operate("GET", "/v1/sys/seal-status", "", "")
		if a.status != step.status || status.json["progress"] != step.progress ||
			status.json["sealed"] != true {
			t.Errorf("%s: %d %s, then %s", step.name, a.status, a.body, status.body)
		}
		if step.status == 400 && strings.Contains(a.body, s.shares[0][32:]) {
			t.Errorf("%s: the refusal repeats the share: %s", step.name, a.body)
		}
	}
	raw, _ := hex.DecodeString(s.shares[2])
	a := s.operate("PUT", "/v1/sys/unseal", "", `{"key":"`+base64.StdEncoding.EncodeToString(raw)+`"}`)
	if a.status != 200 || a.json["sealed"] != false || a.json["t"] != 2.0 || a.json["n"] != 3.0 {
		t.Errorf("last share: %d %s", a.status, a.body)
	}
	if a := s.operate("PUT", "/v1/sys/unseal", "", `{"key":"`+s.shares[0]+`"}`); a.status != 200 {
		t.Errorf("a share for an unsealed node: %d %s", a.status, a.body)
	}
	if a := s.operate("PUT", "/v1/sys/unseal", "", `{"reset":true}`); a.status != 400 ||
		!strings.Contains(a.body, "vault is unsealed") {
		t.Errorf("reset of an unsealed node: %d %s", a.status, a.body)
	}
}

// Old and new clients read different halves of an answer: every member of data stands at top level
// too.
func TestEnvelopeRepeatsDataAtTopLevel(t *testing.T) {
	s := unsealed(t)
	for _, path := range []string{"/v1/sys/health", "/v1/sys/seal-status", "/v1/sys/leader",
		"/v1/sys/init", "/v1/sys/storage/raft/configuration",
		"/v1/auth/token/lookup-self", "/v1/keyquorum/vaults", "/v1/keyquorum/apps"} {
		a := s.operate("GET", path, s.token, "")
		data, ok := a.json["data"].(map[string]any)
		if a.status != 200 || !ok || len(data) == 0 || len(a.text("request_id")) != 36 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		for name, v := range data {
			if fmt.Sprint(a.json[name]) != fmt.Sprint(v) {
				t.Errorf("%s: %s is %v under data and %v at top level", path, name, v, a.json[name])
			}
		}
		if duplicates := duplicateMembers(a.body); len(duplicates) > 0 {
			t.Errorf("%s: %v twice at top level", path, duplicates)
		}
	}
}

func duplicateMembers(body string) (twice []string) {
	seen := make(map[string]bool)
	wire.EachMember([]byte(body), func(name, _ []byte) error {
		if seen[string(name)] {
			twice = append(twice, string(name))
		}
		seen[string(name)] = true
		return nil
	})
	return twice
}

func TestLookupSelf(t *testing.T) {
	s := unsealed(t)
	a := s.operate("GET", "/v1/auth/token/lookup-self", s.token, "")
	if a.at("data", "id") != s.token || a.at("data", "accessor") == "" ||
		a.at("data", "policies") == nil || a.at("data", "ttl") != 0.0 {
		t.Errorf("%s", a.body)
	}
}

func TestRaftConfigurationAndRemoval(t *testing.T) {
	s := unsealed(t)
	a := s.operate("GET", "/v1/sys/storage/raft/configuration", s.token, "")
	servers, _ := a.at("data", "config", "servers").([]any)
	if len(servers) != 1 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	server := servers[0].(map[string]any)
	if server["voter"] != true || server["leader"] != true || server["protocol_version"] != "3" ||
		server["address"] == "" {
		t.Errorf("%v", server)
	}
	for body, want := range map[string]string{
		`{}`: "no server id provided", `{"server_id":"nobody"}`: server["node_id"].(string),
		`{"server_id":"` + server["node_id"].(string) + `"}`: "",
	} {
		if a := s.operate("PUT", "/v1/sys/storage/raft/remove-peer", s.token, body); a.status != 400 ||
			!strings.Contains(a.body, want) {
			t.Errorf("remove %s: %d %s", body, a.status, a.body)
		}
	}
}

func TestHeadersThatChangeWhatIsMeant(t *testing.T) {
	s := unsealed(t)
	index := s.operate("GET", "/v1/sys/leader", "", "").json["raft_applied_index"].(float64)
	for _, row := range []struct {
		header, value, path string
		status              int
		text                string
	}{
		{"X-Vault-Namespace", "root", "sys/storage/raft/configuration", 200, ""},
		{"X-Vault-Namespace", "a/b", "sys/storage/raft/configuration", 400,
			"operation unavailable in namespaces"},
		{"X-Vault-Namespace", "a/b", "sys/health", 400, "operation unavailable in namespaces"},
		{"X-Vault-Namespace", "a/b", "keyquorum/vaults", 404, "no such namespace"},
		{"X-Vault-Wrap-TTL", "60s", "keyquorum/vaults", 400, "wrapping"},
		{"X-Vault-Index", fmt.Sprint(int(index)), "keyquorum/vaults", 200, ""},
		{"X-Vault-Index", "not-an-index", "keyquorum/vaults", 400, "X-Vault-Index"},
		{"X-Vault-No-Request-Forwarding", "true", "keyquorum/vaults", 200, ""},
	} {
		a := s.with(row.header, row.value).operate("GET", "/v1/"+row.path, s.token, "")
		if a.status != row.status || !strings.Contains(a.body, row.text) {
			t.Errorf("%s: %s on %s: %d %s", row.header, row.value, row.path, a.status, a.body)
		}
	}
	if testing.Short() {
		return
	}
	if a := s.with("X-Vault-Index", "99999999").operate("GET", "/v1/keyquorum/vaults", s.token,
		""); a.status != 412 {
		t.Errorf("an index that never comes: %d %s", a.status, a.body)
	}
}

func TestOperationsAreRecordedBeforeTheyAreAnswered(t *testing.T) {
	s := newService(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	s.usage.take()
	s.operate("GET", "/v1/sys/storage/raft/configuration", s.token, "")
	s.operate("PUT", "/v1/sys/storage/raft/remove-peer", s.token, `{"server_id":"nobody"}`)
	s.operate("POST", "/v1/keyquorum/vaults", s.token, `{"name":`)
	s.operate("GET", "/v1/sys/health", "", "")
	s.operate("GET", "/v1/sys/seal-status", "", "")
	s.operate("GET", "/v1/keyquorum/vaults", "", "")
	var got []string
	for _, u := range s.usage.take() {
		got = append(got, fmt.Sprint(u["operation"], " ", u["status"]))
		if u["accessor"] == nil != (u["status"] == 403.0) {
			t.Errorf("accessor %v in %v", u["accessor"], u)
		}
	}
	want := "[sys/raft/configuration 200 sys/raft/remove-peer 400 admin/vaults/create 400 token/authenticate 403]"
	if fmt.Sprint(got) != want {
		t.Errorf("recorded %v, want %v", got, want)
	}
}

func TestNothingIsAnsweredWithoutItsRecord(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "full-disk", everything)
	c.ok("PUT", "/secrets/s", `{"value":"canary"}`)
	s.usage.breakDown(true)
	defer s.usage.breakDown(false)
	for name, a := range map[string]answer{
		"read": c.call("GET", "/secrets/s", ""), "refused body": c.call("PUT", "/secrets/s", `{`),
		"operation": s.operate("GET", "/v1/sys/storage/raft/configuration", s.token, ""),
		"bad json":  s.operate("POST", "/v1/keyquorum/vaults", s.token, `{`),
	} {
		if a.status != 500 || strings.Contains(a.body, "canary") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// Who has no token must not be able to fill the disk with usage records, by failures or by calls
// that do nothing.
func TestStrangersCannotFillTheUsageLog(t *testing.T) {
	s := newService(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	s.usage.take()
	const calls = 1000
	begun := time.Now()
	for range calls {
		s.operate("PUT", "/v1/sys/unseal", "", `{"key":"00"}`)
		s.operate("PUT", "/v1/sys/unseal", "", `{`)
		s.operate("PUT", "/v1/sys/storage/raft/bootstrap/answer", "", `{"server_id":"x"}`)
		s.operate("DELETE", "/v1/sys/health", "", "")
		s.operate("GET", "/v1/keyquorum/vaults", "", "")
		(&client{t: t, s: s, host: "any.vault.localhost"}).call("GET", "/secrets", "")
	}
	most := 500 + int(100*time.Since(begun).Seconds()) // the rates that bound them are by the clock
	if n := len(s.usage.take()); n == 0 || n > most {
		t.Errorf("%d records of %d calls, at most %d were to be", n, 6*calls, most)
	}
}

// A bad value of a parameter is refused, not taken for no, on every call that has one.
func TestBadValuesOfQueryParameters(t *testing.T) {
	s := unsealed(t)
	for target, want := range map[string]string{
		"sys/health?standbyok=yes":            "bad value for standbyok: it is true or false",
		"sys/health?sealedcode=x":             "bad value for sealedcode: it is a status, 200 to 599",
		"keyquorum/vaults?list=perhaps":       "bad value for list: it is true or false",
		"keyquorum/state?index=-1":            "bad value for index: it is a number, 0 or more",
		"sys/metrics?format=json":             "the only metric format is prometheus",
		"auth/token/lookup-self?list=perhaps": "bad value for list: it is true or false",
	} {
		if a := s.operate("GET", "/v1/"+target, s.token, ""); a.status != 400 ||
			!strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	for _, list := range []string{"1", "t", "True"} {
		if a := s.operate("GET", "/v1/keyquorum/vaults?list="+list, s.token, ""); a.status != 200 {
			t.Errorf("list=%s: %d %s", list, a.status, a.body)
		}
	}
}

// A node whose usage log is full would refuse every request, so it is not ready; and it finds out
// by itself that there is room again, since balancers send it nothing meanwhile.
func TestNotReadyWhileNothingCanBeRecorded(t *testing.T) {
	log := new(logText)
	s := newService(t, func(c *node.Config) { c.Logger = log.logger() })
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	health := func(want int) (a answer) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if a = s.operate("GET", "/v1/sys/health?standbyok=true", "", ""); a.status == want {
				return a
			}
		}
		t.Fatalf("health is %d %s, want %d", a.status, a.body, want)
		return a
	}
	health(200)
	s.usage.breakDown(true)
	for range 36 {
		a := s.operate("GET", "/v1/sys/storage/raft/configuration", s.token, "")
		if a.status != 500 || a.body != `{"errors":["The usage record could not be written."]}` {
			t.Fatalf("a read that can't be recorded: %d %s", a.status, a.body)
		}
	}
	if a := health(503); !strings.Contains(a.text("trouble"), "usage log") {
		t.Errorf("not ready without a reason: %s", a.body)
	}
	time.Sleep(1500 * time.Millisecond) // until it has been told of, and tried again
	s.usage.all()
	s.usage.breakDown(false)
	health(200)
	var resumed []map[string]any
	for _, u := range s.usage.all() {
		if u["operation"] == "usage-log/resumed" {
			resumed = append(resumed, u)
		}
	}
	if len(resumed) != 1 || resumed[0]["object"] != "36" || resumed[0]["plane"] != "node" ||
		resumed[0]["node"] != "one" {
		t.Errorf("what was not recorded: %v", resumed)
	}
	if n := strings.Count(log.String(), "[ERROR]"); n != 1 ||
		!strings.Contains(log.String(), "no space left on device") {
		t.Errorf("%d errors in the log:\n%s", n, log)
	}
}

// What happens on a node without keys is recorded as well: who made a cluster of it, who gave it
// shares.
func TestUsageRecordsOfASealedNode(t *testing.T) {
	s := newService(t)
	s.operate("PUT", "/v1/sys/storage/raft/join", "", `{"leader_api_addr":"http://10.0.0.1:8200"}`)
	s.operate("PUT", "/v1/sys/init", "", `{"secret_shares":3,"secret_threshold":4}`)
	if err := s.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	if a := s.operate("POST", "/v1/sys/seal", s.token, ""); a.status != 204 {
		t.Fatalf("seal: %d %s", a.status, a.body)
	}
	s.operate("PUT", "/v1/sys/unseal", "", `{"key":"`+strings.Repeat("00", 33)+`"}`)
	s.operate("PUT", "/v1/sys/unseal", "", `{"key":"`)
	var got []string
	for _, u := range s.usage.take() {
		got = append(got, fmt.Sprint(u["operation"], " ", u["status"], " ", u["detail"]))
		if u["remote"] == nil || u["request_id"] == nil || u["node"] != "one" ||
			u["plane"] != "operator" {
			t.Errorf("a record that says too little: %v", u)
		}
	}
	want := []string{
		"sys/raft/join 400 <nil>", "sys/init 400 <nil>",
		"sys/init 202 shares=3 threshold=2", "sys/init 200 shares=3 threshold=2",
		"sys/unseal 200 share 1 of 2", "sys/unseal 200 unsealed", "sys/seal 200 <nil>",
		"sys/unseal 400 <nil>", "sys/unseal 400 <nil>",
	}
	if !slices.Equal(got, want) {
		t.Errorf("recorded\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Shares that nobody could be shown must not be made.
func TestNoInitThatCannotBeRecorded(t *testing.T) {
	s := newService(t)
	s.usage.breakDown(true)
	a := s.operate("PUT", "/v1/sys/init", "", `{"secret_shares":1,"secret_threshold":1}`)
	if a.status != 500 || !strings.Contains(a.body, "Nothing was done") {
		t.Errorf("init with a full disk: %d %s", a.status, a.body)
	}
	s.usage.breakDown(false)
	if err := s.begin(1, 1); err != nil {
		t.Errorf("init when there is room: %v", err)
	}
}
