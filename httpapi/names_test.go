package httpapi_test

import (
	"flag"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// A step is a request about one object in its life: {n} is its name, {v} its first version. object
// is what a success says of it.
type step struct {
	method, path, body string
	status             int
	operation          string
}

const backupBody = "the backup" // stands for what the backup answered

// lifeOf is every operation of a collection, in an order in which each has something to do.
func lifeOf(k kind) []step {
	at, gone := k.path+"/{n}", "deleted"+k.path+"/{n}"
	operation := map[string]string{"secrets": "set", "keys": "create"}[k.path]
	life := []step{
		{k.method, at + k.suffix, k.body, 200, operation},
		{"GET", at, "", 200, "get"}, {"GET", at + "/{v}", "", 200, "get"},
		{"PATCH", at, `{"tags":{"a":"b"}}`, 200, "update"}, {"PATCH", at + "/{v}", `{}`, 200, "update"},
		{"GET", at + "/versions", "", 200, "versions"}, {"GET", k.path, "", 200, "list"},
		{"POST", at + "/backup", "", 200, "backup"}, {k.method, at + k.suffix, k.body, 200, operation},
	}
	if k.path == "keys" {
		digest := `{"alg":"ES256","value":"` + strings.Repeat("A", 43) + `","digest":"` +
			strings.Repeat("A", 43) + `"}`
		life = append(life, step{"POST", at + "/sign", digest, 200, "sign"},
			step{"POST", at + "/{v}/sign", digest, 200, "sign"},
			step{"POST", at + "/verify", digest, 200, "verify"},
			step{"PUT", at + "/rotationpolicy", `{"attributes":{"expiryTime":"P90D"}}`, 200,
				"setrotationpolicy"}, step{"GET", at + "/rotationpolicy", "", 200, "getrotationpolicy"},
			step{"POST", at + "/rotate", "", 200, "rotate"}, step{"PUT", at, octJWK, 200, "import"},
			step{"POST", at + "/wrapkey", `{"alg":"A128KW","value":"AAAAAAAAAAAAAAAAAAAAAA"}`, 200,
				"wrapKey"}, step{"POST", at + "/unwrapkey", `{"alg":"A128KW","value":"AAAA"}`, 400,
				"unwrapKey"},
			step{"POST", at + "/encrypt", `{"alg":"A128GCM","value":"AAAA"}`, 200, "encrypt"},
			step{"POST", at + "/decrypt", `{"alg":"A128GCM","value":"AAAA"}`, 400, "decrypt"},
			step{"POST", at + "/release", `{"target":"x"}`, 400, "release"})
	}
	return append(life,
		step{"DELETE", at, "", 200, "delete"}, step{"GET", gone, "", 200, "getdeleted"},
		step{"GET", "deleted" + k.path, "", 200, "listdeleted"},
		step{k.method, at + k.suffix, k.body, 409, operation}, step{"POST", k.path + "/restore",
			backupBody, 409, "restore"}, step{"GET", at, "", 404, "get"},
		step{"POST", gone + "/recover", "", 200, "recover"}, step{"GET", at + "/{v}", "", 200, "get"},
		step{"DELETE", at, "", 200, "delete"}, step{"DELETE", gone, "", 204, "purge"},
		step{"POST", k.path + "/restore", backupBody, 200, "restore"},
		step{"GET", at + "/{v}", "", 200, "get"}, step{"DELETE", at, "", 200, "delete"},
		step{"DELETE", gone, "", 204, "purge"})
}

// anyCase spells letters as it likes.
func anyCase(t *rapid.T, s string) string {
	up := rapid.SliceOfN(rapid.Bool(), len(s), len(s)).Draw(t, "case")
	b := []byte(strings.ToLower(s))
	for i := range b {
		if up[i] && 'a' <= b[i] && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// respell writes a path as another client might: its words in any case, some of its characters
// escaped, and empty segments between them.
func respell(t *rapid.T, path, name, version string) string {
	var out strings.Builder
	for segment := range strings.SplitSeq(path, "/") {
		out.WriteString(strings.Repeat("/", rapid.IntRange(1, 2).Draw(t, "slashes")))
		switch segment {
		case "{v}":
			segment = version // the one thing with one spelling
		case "{n}":
			segment = anyCase(t, name)
		default:
			segment = anyCase(t, segment)
		}
		for i := range len(segment) {
			switch rapid.IntRange(0, 9).Draw(t, "escape") {
			case 0:
				fmt.Fprintf(&out, "%%%02x", segment[i])
			case 1:
				fmt.Fprintf(&out, "%%%02X", segment[i])
			default:
				out.WriteByte(segment[i])
			}
		}
	}
	return out.String()
}

var lives atomic.Int64

// fewChecks has rapid draw n times where the command line says nothing else: a check of ours is
// many requests.
func fewChecks(t *testing.T, n string) {
	checks := flag.Lookup("rapid.checks")
	if before := checks.Value.String(); before == checks.DefValue {
		checks.Value.Set(n)
		t.Cleanup(func() { checks.Value.Set(before) })
	}
}

// One object lives its whole life under ever other spellings of its name, of its vault's host and
// of every word of the path. All of them are that object: for the router, for who may do what, in
// the usage log, and in the store.
func TestAllSpellingsOfANameAreOneObject(t *testing.T) {
	fewChecks(t, "10")
	s := unsealed(t)
	c := s.application(t, "spellings", everything)
	stranger := *s.application(t, "stranger", everything) // in a vault of its own
	vault, zone, _ := strings.Cut(c.host, ".")
	for _, k := range kinds {
		t.Run(k.path, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				name := fmt.Sprintf("%s-%d", rapid.StringMatching(`[a-z0-9-]{1,20}`).Draw(t, "name"),
					lives.Add(1))
				first, version, blob := "", "", ""
				for i, step := range lifeOf(k) {
					target := respell(t, step.path, name, version)
					if i == 0 {
						first = anyCase(t, name)
						target = "/" + k.path + "/" + first + k.suffix
					}
					body := step.body
					if body == backupBody {
						body = blob
					}
					here, there := *c, stranger
					here.host = anyCase(t, vault) + "." + anyCase(t, zone)
					there.host = here.host
					s.usage.take()
					if a := there.call(step.method, target, body); a.status != 403 ||
						a.at("error", "innererror", "code") != "ForbiddenByPolicy" {
						t.Fatalf("%s %s by a stranger: %d %s", step.method, target, a.status, a.body)
					}
					wantUsage(t, s, k, step, vault, name, 403)
					a := here.call(step.method, target, body)
					if a.status != step.status {
						t.Fatalf("%s %s of %s: %d %s, want %d", step.method, target, name, a.status, a.body,
							step.status)
					}
					wantUsage(t, s, k, step, vault, name, step.status)
					wantObject(t, k, step, here.host, first, a)
					switch {
					case i == 0:
						version = a.version()
					case step.operation == "backup":
						blob = a.body
					}
				}
			})
		})
	}
}

func wantUsage(t *rapid.T, s *service, k kind, step step, vault, name string, status int) {
	recorded := status
	if status == 204 {
		recorded = 200
	}
	u := s.usage.take()
	if len(u) != 1 || u[0]["operation"] != k.path+"/"+step.operation || u[0]["vault"] != vault ||
		u[0]["status"] != float64(recorded) {
		t.Fatalf("recorded %v", u)
	}
	if strings.Contains(step.path, "{n}") || step.operation == "restore" {
		if u[0]["object"] != name {
			t.Fatalf("the object %s is recorded as %v", name, u[0])
		}
	}
}

// wantObject: whatever is answered of the object has the one name it was given first, and a list
// has it once.
func wantObject(t *rapid.T, k kind, step step, host, first string, a answer) {
	id := `"https://` + host + "/" + k.path + "/" + first
	if step.status != 200 || step.operation == "backup" || step.operation == "verify" {
		return
	}
	if step.operation == "listdeleted" {
		id = `"recoveryId":"https://` + host + "/deleted" + k.path + "/" + first + `"`
	}
	if n := strings.Count(a.body, id); n != 1 {
		t.Fatalf("%s %s shows %s %d times: %s", step.method, step.path, id, n, a.body)
	}
	if strings.HasPrefix(step.operation, "list") && len(a.rows()) != 1 {
		t.Fatalf("%s %s: %s", step.method, step.path, a.body)
	}
}
