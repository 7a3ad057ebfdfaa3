package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"keyquorum/httpapi"
)

// A judge compares answers with the document's schemas: those of every test, since serve shows it
// each. Schemas are closed: an answer has no member that the document does not name.
type judge struct {
	mu       sync.Mutex
	doc      map[string]any
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema // by pointer
	faults   []string                      // each of them once
}

var theJudge = sync.OnceValue(func() *judge {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(theDocument()))
	if err != nil {
		panic(err)
	}
	j := &judge{doc: doc.(map[string]any), compiler: jsonschema.NewCompiler(),
		compiled: map[string]*jsonschema.Schema{}}
	for _, schema := range at(j.doc, "components", "schemas").(map[string]any) {
		closeSchema(schema)
	}
	if err := j.compiler.AddResource("openapi.json", doc); err != nil {
		panic(err)
	}
	return j
})

func closeSchema(v any) {
	schema, is := v.(map[string]any)
	if !is {
		return
	}
	properties, _ := schema["properties"].(map[string]any)
	closeSchema(schema["items"])
	for _, p := range properties {
		closeSchema(p)
	}
	if properties != nil && schema["additionalProperties"] == nil {
		schema["additionalProperties"] = false
	}
}

// watch notes an answer that the document does not allow. TestMain fails for it.
func (j *judge) watch(r *http.Request, a answer) {
	if err := j.check(r.Host, r.Method, r.URL.EscapedPath(), a); err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		where := httpapi.Documented(r.Host, r.Method, r.URL.EscapedPath(), zone)
		fault := fmt.Sprintf("%s %s with %d, as openapi.json or a type has it (docs/openapi.md): %v",
			r.Method, where, a.status, err)
		if !slices.Contains(j.faults, fault) {
			j.faults = append(j.faults, fault)
		}
	}
}

// report prints what was noted.
func (j *judge) report() (faults int) {
	for _, f := range j.faults[:min(len(j.faults), 20)] {
		fmt.Fprintln(os.Stderr, "FAIL: the document does not allow the answer to", f)
	}
	return len(j.faults)
}

// check is nil for an answer to no operation.
func (j *judge) check(host, method, path string, a answer) error {
	path = httpapi.Documented(host, method, path, zone)
	if path == "" || method == "HEAD" {
		return nil
	}
	if method == "LIST" {
		method = "GET"
	}
	content, err := j.answered(path, strings.ToLower(method), a.status)
	if err != nil || content == nil {
		return err
	}
	return j.validate(content, a.body)
}

// checkRequest is nil for a body that an operation may be asked with.
func (j *judge) checkRequest(host, method, path, body string) error {
	content := []string{"paths", httpapi.Documented(host, method, path, zone), strings.ToLower(method),
		"requestBody", "content"}
	if at(j.doc, content...) == nil {
		if body != "" {
			return fmt.Errorf("the document has no body for it")
		}
		return nil
	}
	return j.validate(content, body)
}

// validate compares text with the schema of a content.
func (j *judge) validate(content []string, text string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	schema, err := j.compile(append(content, "application/json", "schema"))
	if err != nil {
		return err
	}
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(body)
}

// answered is the content of an operation's answer with a status, or by default; nil for one
// without a body.
func (j *judge) answered(path, method string, status int) ([]string, error) {
	responses := []string{"paths", path, method, "responses"}
	name := fmt.Sprint(status)
	if at(j.doc, append(responses, name)...) == nil {
		if status == 200 || status == 204 {
			return nil, fmt.Errorf("the document has no answer %d", status)
		}
		name = "default"
	}
	to := append(responses, name)
	if target, is := at(j.doc, append(to, "$ref")...).(string); is {
		to = strings.Split(strings.TrimPrefix(target, "#/"), "/")
	}
	if at(j.doc, append(to, "content", "application/json")...) == nil {
		return nil, nil // nothing, or text
	}
	return append(to, "content"), nil
}

func (j *judge) compile(path []string) (s *jsonschema.Schema, err error) {
	pointer := ""
	for _, p := range path {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p)
	}
	if s = j.compiled[pointer]; s == nil {
		s, err = j.compiler.Compile("openapi.json#" + pointer)
		j.compiled[pointer] = s
	}
	return s, err
}

// at walks down objects; nil where there is nothing.
func at(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

// TestJudgeFindsFaults keeps the judge honest.
func TestJudgeFindsFaults(t *testing.T) {
	const host, kid = "any.vault.localhost", `"kid":"https://any.vault.localhost/keys/k/1"`
	for body, wrong := range map[string]bool{
		`{` + kid + `,"value":"AAAA"}`:          false,
		`{` + kid + `}`:                         true,
		`{` + kid + `,"value":7}`:               true,
		`{` + kid + `,"value":"AAAA","more":1}`: true,
		`{"kid"`:                                true,
	} {
		var a answer
		a.status, a.body = 200, body
		if err := theJudge().check(host, "POST", "/KEYS/k//sign", a); (err != nil) != wrong {
			t.Errorf("%s: %v", body, err)
		}
	}
	refusal := answer{status: 409, body: `{"errors":[]}`}
	if theJudge().check(host, "POST", "/keys/k/sign", refusal) == nil ||
		theJudge().check(nodeHost, "PUT", "/v1/sys/seal", refusal) != nil {
		t.Error("a refusal of one plane was taken for the other's")
	}
	if theJudge().check(nodeHost, "PUT", "/v1/sys/seal", answer{status: 200, body: `{}`}) == nil {
		t.Error("an answer of 200 was taken where 204 is described")
	}
}
