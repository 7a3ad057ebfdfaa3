package httpapi_test

import (
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"keyquorum/httpapi"
)

func TestBodiesThatAreRefused(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "bad-bodies", everything)
	nested := func(n int) string {
		return `{"value":"x","deep":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	many := func(n int) string {
		return `{"value":"x","list":[` + strings.TrimSuffix(strings.Repeat("0,", n), ",") + `]}`
	}
	for name, row := range map[string]struct {
		body   string
		status int
	}{
		"31 levels below":      {nested(31), 200},
		"32 levels below":      {nested(32), 400},
		"998 in a list":        {many(998), 200}, // with the two members around it 1,000
		"999 in a list":        {many(999), 400},
		"over a mebibyte":      {`{"value":"` + strings.Repeat("a", 1<<20) + `"}`, 413},
		"25,600 bytes":         {`{"value":"` + strings.Repeat("a", 25600) + `"}`, 200},
		"25,601 bytes":         {`{"value":"` + strings.Repeat("a", 25601) + `"}`, 400},
		"an empty value":       {`{"value":""}`, 200},
		"no value":             {`{}`, 400},
		"nothing":              {``, 400},
		"a null value":         {`{"value":null}`, 400},
		"a number for a value": {`{"value":1}`, 400},
		"a list":               {`["value"]`, 400},
		"two objects":          {`{"value":"x"}{}`, 400},
		"half an object":       {`{"value":"x"`, 400},
		"a trailing comma":     {`{"value":"x",}`, 400},
		"a lone surrogate":     {`{"value":"\ud800"}`, 400},
		"not UTF-8":            {"{\"value\":\"\xff\"}", 400},
		"a raw newline":        {"{\"value\":\"a\nb\"}", 400},
		"tags of numbers":      {`{"value":"x","tags":{"a":1}}`, 400},
		"a word for a time":    {`{"value":"x","attributes":{"exp":"soon"}}`, 400},
		"a fraction of a time": {`{"value":"x","attributes":{"exp":1.5}}`, 400},
		"a time from 1901": {`{"value":"x","attributes":{"exp":-2147483648}}`,
			200}, // JavaScript's 2038
		"attributes in a list": {`{"value":"x","attributes":[]}`, 400},
		"unknown members":      {`{"value":"x","hsm":{"a":[1,{}]},"managed":true}`, 200},
	} {
		a := c.call("PUT", "/secrets/limits", row.body)
		if a.status != row.status {
			t.Errorf("%s: %d, want %d: %.200s", name, a.status, row.status, a.body)
		}
		if want := map[int]any{400: "BadParameter",
			413: "RequestEntityTooLarge"}[row.status]; a.at("error", "code") != want {
			t.Errorf("%s: code %v, want %v", name, a.at("error", "code"), want)
		}
	}
}

func TestBodyOfUnknownLengthIsCut(t *testing.T) {
	s := unsealed(t)
	endless := io.MultiReader(strings.NewReader(`{"key":"`), zeros{})
	r := httptest.NewRequest("PUT", "/v1/sys/unseal", endless)
	r.Host, r.ContentLength = nodeHost, -1
	if a := s.serve(r); a.status != 413 || a.body != `{"errors":["request body too large"]}` {
		t.Errorf("%d %s", a.status, a.body)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// Large bodies that are never completed must not fill the memory, nor keep others from their small
// ones.
func TestLargeBodiesInMemoryAreCounted(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "large-bodies", everything)
	part := `{"value":"x","more":"` + strings.Repeat("a", 200<<10)
	send := func(name string, body io.Reader) answer {
		r := httptest.NewRequest("PUT", "/secrets/"+name+apiQuery, body)
		r.Host = c.host
		r.Header.Set("Authorization", "Bearer "+c.token)
		return s.serve(r)
	}
	var held sync.WaitGroup
	var writers []*io.PipeWriter
	for i := range httpapi.MaxLarge {
		body, w := io.Pipe()
		writers = append(writers, w)
		held.Go(func() {
			if a := send(fmt.Sprint("s", i), body); a.status != 200 {
				t.Errorf("one that was held: %d %s", a.status, a.body)
			}
		})
		if _, err := io.WriteString(w, part); err != nil { // returns when all of it was read
			t.Fatal(err)
		}
	}
	if a := send("s", strings.NewReader(part+`"}`)); a.status != 503 ||
		a.header.Get("Retry-After") != "1" {
		t.Errorf("one too many: %d %s", a.status, a.body)
	}
	c.ok("PUT", "/secrets/s", `{"value":"x"}`)
	for _, w := range writers {
		io.WriteString(w, `"}`)
		w.Close()
	}
	held.Wait()
	if a := send("s", strings.NewReader(part+`"}`)); a.status != 200 {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}

func TestBodyThatBreaksOff(t *testing.T) {
	s := unsealed(t)
	r := httptest.NewRequest("PUT", "/v1/sys/unseal",
		io.MultiReader(strings.NewReader(`{"key":`), broken{}))
	r.Host, r.ContentLength = nodeHost, 100
	if a := s.serve(r); a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestLongURLsAndHeaders(t *testing.T) {
	s := unsealed(t)
	long := &client{t: t, s: s, host: "any.vault.localhost"}
	if a := long.call("GET", "/secrets/"+strings.Repeat("a", 9000), ""); a.status != 414 ||
		a.at("error", "code") != "RequestUriTooLong" {
		t.Errorf("long URL: %d %s", a.status, a.body)
	}
	r := httptest.NewRequest("GET", "/v1/sys/health", nil)
	r.Host = nodeHost
	for range 20 {
		r.Header.Add("X-Filler", strings.Repeat("f", 1000))
	}
	if a := s.serve(r); a.status != 431 || !strings.HasPrefix(a.body, `{"errors":["`) {
		t.Errorf("large headers: %d %s", a.status, a.body)
	}
}
