package prove_test

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/prove"
	"keyquorum/testcluster"
)

// A falsifier changes a success on its way back to whoever asked.
type falsifier struct {
	http.RoundTripper
	asked  *regexp.Regexp // "GET /secrets/x": which
	change func(body []byte) []byte
}

func (f *falsifier) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := f.RoundTripper.RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusOK || f.asked == nil ||
		!f.asked.MatchString(r.Method+" "+r.URL.Path) {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(f.change(body)))
	return answer, err
}

// replaced changes what stands behind the first `"name":"`.
func replaced(name string, by func(value string) string) func([]byte) []byte {
	member := regexp.MustCompile(`"` + name + `":"([^"]*)"`)
	return func(body []byte) []byte {
		at := member.FindSubmatchIndex(body)
		if at == nil {
			return body
		}
		return append(append(bytes.Clone(body[:at[2]]), by(string(body[at[2]:at[3]]))...),
			body[at[3]:]...)
	}
}

func emptied([]byte) []byte { return []byte(`{"value":[],"nextLink":null}`) }

func nothing(string) string { return "" }

// another is as long, and spelt as well.
func another(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// What a node answers when everything is read back is all that these runs have against it. One
// client alone, so that each time as much is left to be read.
func TestWhatWasLostIsFoundWhenItIsReadBack(t *testing.T) {
	for name, f := range map[string]struct {
		asked  string
		change func([]byte) []byte
		says   string
	}{
		"a secret's value":   {`^GET /secrets/[^/]+$`, replaced("value", nothing), `has the value ""`},
		"a secret's version": {`^GET /secrets/[^/]+/\w+$`, replaced("value", another), "has the value"},
		"a private key": {`^POST /keys/.+/sign$`, replaced("value", another),
			"is none of the key of"},
		"a public key":      {`^GET /keys/[^/]+$`, replaced("x", another), "has another public key"},
		"a list of secrets": {`^GET /secrets$`, emptied, "not listed"},
		"a list of keys":    {`^GET /keys$`, emptied, "not listed"},
		"what a key is":     {`^GET /keys/[^/]+$`, replaced("x", nothing), "without its public key"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := testcluster.New(t, 1)
				ctx := within(t, time.Minute)
				target, between := c.Target(), &falsifier{}
				client := *target.Nodes[0].HTTP
				between.RoundTripper, client.Transport = client.Transport, between
				target.Nodes[0].HTTP = &client
				run, err := prove.Begin(ctx, target,
					prove.Options{Seed: 8, Clients: 1, Objects: 12, Operations: 200})
				must(t, err)
				run.Work(ctx)
				between.asked, between.change = regexp.MustCompile(f.asked), f.change
				must(t, run.ReadBack(ctx))
				if err := run.Check().Err(); err == nil || !strings.Contains(err.Error(), f.says) {
					t.Errorf("the verdict is %v, and does not say %q", err, f.says)
				}
			})
		})
	}
}
