package httpapi_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// give sends a share to one of the ceremonies.
func (s *service) give(path, nonce, share string) answer {
	return s.operate("PUT", "/v1/sys/"+path, s.token,
		fmt.Sprintf(`{"key":%q,"nonce":%q}`, share, nonce))
}

func require(t *testing.T, a answer, status int, members map[string]any) {
	t.Helper()
	if a.status != status {
		t.Fatalf("%d %s, want %d", a.status, a.body, status)
	}
	for name, want := range members {
		if got := a.at("data", name); got != want || a.json[name] != want {
			t.Errorf("%s is %v and %v, want %v: %s", name, got, a.json[name], want, a.body)
		}
	}
}

func requireRefused(t *testing.T, a answer, says string) {
	t.Helper()
	if a.status != 400 || !strings.Contains(a.body, says) {
		t.Errorf("%d %s, want 400 with %q", a.status, a.body, says)
	}
}

// Two families of paths are one rekey.
func TestRekeyOverHTTP(t *testing.T) {
	s := newService(t)
	if err := s.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	const old, new = "rekey/", "rotate/root/"
	idle := map[string]any{"started": false, "t": 0.0, "n": 0.0, "progress": 0.0, "required": 2.0,
		"nonce": "", "backup": false, "pgp_fingerprints": nil, "verification_required": false}
	require(t, s.operate("GET", "/v1/sys/rekey/init", s.token, ""), 200, idle)
	for body, says := range map[string]string{
		``:                    "secret_shares must be between 1 and 255",
		`{"secret_shares":2}`: "secret_threshold must be between 1 and secret_shares",
		`{"secret_shares":2,"secret_threshold":1}`:                  "must be at least 2",
		`{"secret_shares":1,"secret_threshold":1,"backup":true}`:    "without providing PGP keys",
		`{"secret_shares":1,"secret_threshold":1,"pgp_keys":["x"]}`: "error parsing pgp_keys[0]",
		`{"secret_shares":2,"secret_threshold":2,"pgp_keys":["x"]}`: "incorrect number of PGP keys",
	} {
		requireRefused(t, s.operate("PUT", "/v1/sys/rekey/init", s.token, body), says)
	}
	requireRefused(t, s.give("rekey/update", "x", s.shares[0]), "no rekey in progress")
	requireRefused(t, s.give("rekey/verify", "x", s.shares[0]), "no rekey in progress")

	a := s.operate("POST", "/v1/sys/rotate/root/init", s.token,
		`{"secret_shares":2,"secret_threshold":2,"require_verification":true}`)
	require(t, a, 200, map[string]any{"started": true, "t": 2.0, "n": 2.0, "progress": 0.0,
		"required": 2.0, "verification_required": true})
	nonce := a.text("nonce")
	requireRefused(t, s.operate("PUT", "/v1/sys/rekey/init", s.token,
		`{"secret_shares":1,"secret_threshold":1}`), "rekey already in progress")
	requireRefused(t, s.give("rekey/update", "", s.shares[0]), "'nonce' must be specified")
	requireRefused(t, s.give("rekey/update", nonce, ""), "'key' must be specified")
	requireRefused(t, s.give("rekey/update", nonce, "x"), "must be a valid hex or base64 string")
	requireRefused(t, s.give("rekey/update", "x", s.shares[0]),
		`incorrect nonce supplied; nonce for this rekey operation is \"`+nonce+`\"`)
	require(t, s.give(old+"update", nonce, s.shares[0]), 200,
		map[string]any{"progress": 1.0, "complete": false, "keys": nil})
	requireRefused(t, s.give(new+"update", nonce, s.shares[0]), "share was given already")
	requireRefused(t, s.give(new+"update", nonce, strings.Repeat("0a", 33)), "invalid key")
	requireRefused(t, s.give("rekey/verify", nonce, s.shares[0]), "no rekey verification in progress")
	a = s.give(new+"update", nonce, s.shares[2])
	require(t, a, 200, map[string]any{"complete": true, "verification_required": true})
	made := texts(a.json["keys_base64"])
	if hex := texts(a.at("data", "keys")); len(made) != 2 || len(hex) != 2 || len(hex[0]) != 66 {
		t.Fatalf("shares %v", a.json["keys"])
	}
	back := a.text("verification_nonce")
	requireRefused(t, s.give("rekey/update", nonce, s.shares[1]), "verification must be performed")
	require(t, s.operate("GET", "/v1/sys/rekey/verify", s.token, ""), 200, map[string]any{
		"nonce": back, "started": true, "t": 2.0, "n": 2.0, "progress": 0.0})
	requireRefused(t, s.give("rekey/verify", nonce, made[0]),
		`incorrect nonce supplied; nonce for this verify operation is \"`+back+`\"`)
	requireRefused(t, s.give("rekey/verify", back, s.shares[0]), "invalid key")
	require(t, s.give(new+"verify", back, made[0]), 200,
		map[string]any{"progress": 1.0, "complete": false})
	a = s.operate("DELETE", "/v1/sys/rekey/verify", s.token, "")
	require(t, a, 200, map[string]any{"progress": 0.0, "started": true})
	back = a.text("nonce")
	require(t, s.give("rekey/verify", back, made[1]), 200, map[string]any{"complete": false})
	require(t, s.give("rekey/verify", back, made[0]), 200,
		map[string]any{"complete": true, "nonce": back})
	require(t, s.operate("GET", "/v1/sys/rotate/root/init", s.token, ""), 200, idle)

	if a := s.operate("PUT", "/v1/sys/seal", s.token, ""); a.status != 204 {
		t.Fatalf("seal: %d %s", a.status, a.body)
	}
	requireRefused(t, s.operate("PUT", "/v1/sys/unseal", "", `{"key":"`+s.shares[0]+`"}`),
		"invalid key")
	s.shares = made
	if err := s.unseal(2); err != nil {
		t.Fatal(err)
	}
	s.requireClean(t, append(slices.Clone(made), s.token)...)
}

// requireClean looks for secrets in the usage log, and forgets it.
func (s *service) requireClean(t *testing.T, secrets ...string) {
	t.Helper()
	recorded := fmt.Sprint(s.usage.take())
	for _, secret := range secrets {
		if strings.Contains(recorded, secret) {
			t.Error("a secret is in the usage log")
		}
	}
}

func texts(list any) (out []string) {
	values, _ := list.([]any)
	for _, v := range values {
		out = append(out, v.(string))
	}
	return out
}

// Every call leaves a record, and what is shown once has one before it as well.
func TestCeremoniesAreRecorded(t *testing.T) {
	s := newService(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	s.usage.take()
	one := `{"secret_shares":1,"secret_threshold":1}`
	s.operate("PUT", "/v1/sys/rekey/init", "", one)
	s.operate("DELETE", "/v1/sys/rekey/init", "bad", "")
	nonce := s.operate("PUT", "/v1/sys/rekey/init", s.token, one).text("nonce")
	s.operate("DELETE", "/v1/sys/rekey/init", s.token, `{"nonce":"x"}`)
	s.operate("DELETE", "/v1/sys/rekey/init", s.token, `{"nonce":"`+nonce+`"}`)
	nonce = s.operate("PUT", "/v1/sys/rekey/init", s.token, one).text("nonce")
	made := texts(s.give("rekey/update", nonce, s.shares[0]).json["keys"])
	attempt := s.operate("PUT", "/v1/sys/generate-root/attempt", s.token, "")
	s.give("generate-root/update", attempt.text("nonce"), made[0])
	var got []string
	for _, u := range s.usage.take() {
		detail, _, _ := strings.Cut(fmt.Sprint(u["detail"]), "accessor")
		got = append(got, fmt.Sprint(u["operation"], " ", u["status"], " ", u["accessor"] != nil, " ",
			detail))
	}
	want := []string{
		"token/authenticate 403 false <nil>", "token/authenticate 403 false <nil>",
		"sys/rekey/init 200 true shares=1 threshold=1 verification=false",
		"sys/rekey/cancel 400 true <nil>", "sys/rekey/cancel 200 true <nil>",
		"sys/rekey/init 200 true shares=1 threshold=1 verification=false",
		"sys/rekey/update 202 true new shares are made",
		"sys/rekey/update 200 true new shares are in force",
		"sys/generate-root/init 200 true <nil>",
		"sys/generate-root/update 202 true a root token is made",
		"sys/generate-root/update 200 true made the root token of ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("recorded\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Shares and tokens that nobody could be shown must not be made.
func TestNoCeremonyThatCannotBeRecorded(t *testing.T) {
	s := newService(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	rekey := s.operate("PUT", "/v1/sys/rekey/init", s.token,
		`{"secret_shares":1,"secret_threshold":1}`).text("nonce")
	root := s.operate("PUT", "/v1/sys/generate-root/attempt", s.token, "").text("nonce")
	s.usage.breakDown(true)
	for path, nonce := range map[string]string{"rekey/update": rekey, "generate-root/update": root} {
		a := s.give(path, nonce, s.shares[0])
		if a.status != 500 || !strings.Contains(a.body, "Nothing was done") {
			t.Errorf("%s with a full disk: %d %s", path, a.status, a.body)
		}
	}
	s.usage.breakDown(false)
	if a := s.give("generate-root/update", root, s.shares[0]); a.json["complete"] != true {
		t.Errorf("the share is as good as before: %d %s", a.status, a.body)
	}
	if a := s.give("rekey/update", rekey, s.shares[0]); a.json["complete"] != true {
		t.Errorf("the share is as good as before: %d %s", a.status, a.body)
	}
}

// Both families give a token that works, masked with the password of whoever began.
func TestGenerateRoot(t *testing.T) {
	s := newService(t)
	if err := s.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	own := strings.Repeat("k", 46)
	requireRefused(t, s.operate("PUT", "/v1/sys/generate-root/attempt", s.token, `{"otp":"short"}`),
		"OTP string has incorrect length")
	requireRefused(t, s.operate("PUT", "/v1/sys/generate-root/attempt", s.token,
		`{"otp":"`+own+`","pgp_key":"x"}`), "can't be given together")
	requireRefused(t, s.operate("PUT", "/v1/sys/generate-root/attempt", s.token,
		`{"pgp_key":"x"}`), "error parsing pgp_key")
	requireRefused(t, s.give("generate-root/update", "x", s.shares[0]),
		"no root generation in progress")
	var nonces []string
	for at, body := range map[string]string{
		"generate-root/": `{"otp":"` + own + `"}`, "generate-root-token/": "",
	} {
		idle := map[string]any{"started": false, "progress": 0.0, "required": 2.0, "complete": false,
			"otp_length": 46.0, "otp": "", "encoded_token": "", "nonce": ""}
		require(t, s.operate("GET", "/v1/sys/"+at+"attempt", s.token, ""), 200, idle)
		if a := s.operate("DELETE", "/v1/sys/"+at+"attempt", s.token, ""); a.status != 204 {
			t.Errorf("cancelled with none: %d %s", a.status, a.body)
		}
		first := s.operate("PUT", "/v1/sys/"+at+"attempt", s.token, body)
		require(t, first, 200, map[string]any{"started": true})
		s.operate("DELETE", "/v1/sys/"+at+"attempt", s.token, "")
		a := s.operate("PUT", "/v1/sys/"+at+"attempt", s.token, body)
		nonce, otp := a.text("nonce"), a.text("otp")
		if (otp == "") != (body != "") || nonce == first.text("nonce") || slices.Contains(nonces, nonce) {
			t.Errorf("begun: %s, after %s", a.body, first.body)
		}
		nonces = append(nonces, nonce)
		if body != "" {
			otp = own
		}
		requireRefused(t, s.operate("PUT", "/v1/sys/generate-root/attempt", s.token, ""),
			"root generation already in progress")
		requireRefused(t, s.give(at+"update", "x", s.shares[0]),
			`incorrect nonce supplied; nonce for this root generation operation is \"`+nonce+`\"`)
		require(t, s.give(at+"update", nonce, s.shares[0]), 200,
			map[string]any{"progress": 1.0, "complete": false, "encoded_token": ""})
		if a := s.operate("GET", "/v1/sys/"+at+"attempt", s.token, ""); a.text("otp") != "" {
			t.Error("the password is shown again")
		}
		a = s.give(at+"update", nonce, s.shares[1])
		require(t, a, 200, map[string]any{"progress": 2.0, "required": 2.0, "complete": true})
		if a.text("encoded_token") != a.text("encoded_root_token") {
			t.Errorf("two tokens: %s", a.body)
		}
		token, err := base64.RawStdEncoding.DecodeString(a.text("encoded_token"))
		if err != nil || len(token) != len(otp) {
			t.Fatalf("%q: %v", a.text("encoded_token"), err)
		}
		for i := range token {
			token[i] ^= otp[i]
		}
		decoded := s.operate("PUT", "/v1/sys/decode-token", "",
			fmt.Sprintf(`{"encoded_token":%q,"otp":%q}`, a.text("encoded_token"), otp))
		if string(token) == s.token || decoded.text("token") != string(token) {
			t.Errorf("decoded %d %s", decoded.status, decoded.body)
		}
		self := s.operate("GET", "/v1/auth/token/lookup-self", string(token), "")
		if self.status != 200 || fmt.Sprint(self.at("data", "policies")) != "[root]" {
			t.Errorf("the new token: %d %s", self.status, self.body)
		}
		s.requireClean(t, string(token), otp, s.shares[0])
	}
	for _, body := range []string{``, `{"encoded_token":"!","otp":"x"}`,
		`{"encoded_token":"AAAA","otp":"x"}`} {
		if a := s.operate("PUT", "/v1/sys/decode-token", "", body); a.status != 400 {
			t.Errorf("decode %s: %d %s", body, a.status, a.body)
		}
	}
}
