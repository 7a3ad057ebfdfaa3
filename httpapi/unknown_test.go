package httpapi_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// Every body of the operator plane is refused when it has a member that nobody knows, with its name
// and the names that there are. On the application plane such a member is ignored, as in Azure, but
// for a rotation policy.
func TestUnknownMembers(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "unknown", everything)
	doc, err := openapi3.NewLoader().LoadFromData(served(t, nodeHost))
	if err != nil {
		t.Fatal(err)
	}
	bodies, looked := whole(c), 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil || op.RequestBody.Value.Content["application/json"] == nil {
				continue
			}
			looked++
			if strings.HasPrefix(path, "/v1/") {
				at := strings.NewReplacer("{vault}", "unknown", "{app}", c.id).Replace(path)
				a := s.operate(method, at, s.token, `{"naem":1}`)
				if a.status != 400 ||
					!strings.Contains(a.body, "Property naem is not known: the body may have ") {
					t.Errorf("%s %s: %d %s", method, at, a.status, a.body)
				}
				continue
			}
			for _, body := range bodies[method+" "+path] {
				var with map[string]any
				if err := json.Unmarshal([]byte(body), &with); err != nil {
					t.Fatal(err)
				}
				with = maps.Clone(with)
				with["naem"] = 1
				a := c.call(method, strings.ReplaceAll(path, "{name}", "oct"), encoded(t, with))
				refused := strings.Contains(a.body, "naem")
				if refused != strings.HasSuffix(path, "/rotationpolicy") {
					t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
				}
			}
		}
	}
	if looked < 30 {
		t.Errorf("only %d operations have a body", looked)
	}
}

// A misspelt member leaves what was there, whether it is the whole body or deep in it.
func TestMisspeltBodiesChangeNothing(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "misspelt", everything)
	c.ok("POST", "/keys/k/create", `{"kty":"EC"}`)
	const rotate = `{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P30D"},"action":{"type":"Rotate"}}],` +
		`"attributes":{"expiryTime":"P90D"}}`
	before := c.ok("PUT", "/keys/k/rotationpolicy", rotate).body
	for _, change := range [][2]string{
		{"lifetimeActions", "lifetimeAction"}, {"trigger", "triger"},
		{"timeAfterCreate", "timeAfterCreation"},
		{`"action"`, `"actions"`}, {`"type"`, `"typ"`}, {"attributes", "attribute"},
		{"expiryTime", "expires"},
	} {
		a := c.call("PUT", "/keys/k/rotationpolicy", strings.Replace(rotate, change[0], change[1], 1))
		if a.status != 400 || a.at("error", "code") != "BadParameter" ||
			!strings.Contains(a.body, "Property "+strings.Trim(change[1], `"`)+" is not known") {
			t.Errorf("%s: %d %s", change[1], a.status, a.body)
		}
	}
	if after := c.ok("GET", "/keys/k/rotationpolicy", "").body; after != before {
		t.Errorf("the policy was %s and is %s", before, after)
	}
	grant := "/v1/keyquorum/vaults/misspelt/grants/" + c.id
	if a := s.operate("PUT", grant, s.token, `{"key":["get"],"secrets":["get"]}`); a.status != 400 {
		t.Errorf("a grant of \"key\": %d %s", a.status, a.body)
	}
	c.ok("POST", "/keys/k2/create", `{"kty":"EC"}`) // nothing was taken away
}
