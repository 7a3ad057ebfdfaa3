package httpapi_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"keyquorum/httpapi"
)

// Limits of names, tags, content types and values, at both of their sides.

func TestLimitsOfNames(t *testing.T) {
	c := unsealed(t).application(t, "name-limits", everything)
	for _, k := range kinds {
		for _, name := range []string{"a", "0", "-", "--", "rng", "versions", "rotationpolicy", "create",
			"contacts", noVersion, strings.Repeat("Zz9-", 31) + "Zz9"} {
			made := k.make(c, name, false)
			if id := made.body; !strings.Contains(id, "/"+k.path+"/"+name+"/"+made.version()) {
				t.Errorf("%s: %s", name, made.body)
			}
			if got := c.ok("GET", "/"+k.path+"/"+name+"/"+made.version(),
				""); got.version() != made.version() {
				t.Errorf("%s: %s", name, got.body)
			}
		}
		for _, name := range []string{strings.Repeat("a", 128), "restore", "RESTORE", "a.b", "a~",
			"a%20b", "a+b", "ä", "a%00"} {
			if a := c.call(k.method, "/"+k.path+"/"+name+k.suffix, k.body); a.status != 400 ||
				a.at("error", "code") != "BadParameter" {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	}
}

// escaped spells text as Python's json does: every character beyond ASCII in \u escapes.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x10000 {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		}
	}
	return b.String()
}

func TestLimitsOfTags(t *testing.T) {
	c := unsealed(t).application(t, "tag-limits", everything)
	tags := func(n, runes int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`"%s":"%s"`,
				escaped(strings.Repeat("😀", runes-2)+fmt.Sprintf("%02d", i)),
				escaped(strings.Repeat("é", runes))))
		}
		return `"tags":{` + strings.Join(list, ",") + `}`
	}
	for name, row := range map[string]struct {
		tags   string
		status int
	}{"15 of 256": {tags(15, 256), 200}, "16": {tags(16, 2), 400}, "of 257": {tags(1, 257), 400},
		"none": {`"tags":{}`, 200}, "null": {`"tags":null`, 200},
		"null inside": {`"tags":{"a":null,"b":""}`, 200}, "nulls alone": {`"tags":{"a":null}`, 400},
		"of numbers": {`"tags":{"a":1}`, 400}, "a list": {`"tags":[]`, 400}} {
		for at, q := range map[string][2]string{
			"set": {"PUT /secrets/s", `{"value":"x",`}, "create": {"POST /keys/k/create", `{"kty":"EC",`},
			"import":          {"PUT /keys/i", strings.TrimSuffix(octJWK, "}") + ","},
			"update a secret": {"PATCH /secrets/u", "{"}, "update a key": {"PATCH /keys/u", "{"},
		} {
			secretKind.make(c, "u", false)
			keyKind.make(c, "u", false)
			method, path, _ := strings.Cut(q[0], " ")
			a := c.call(method, path, q[1]+row.tags+"}")
			if a.status != row.status || row.status == 400 && a.at("error", "code") != "BadParameter" {
				t.Errorf("%s, %s: %d %.300s", name, at, a.status, a.body)
			}
			var want struct{ Tags map[string]*string }
			if err := json.Unmarshal([]byte("{"+row.tags+"}"), &want); a.status != 200 || err != nil {
				continue
			}
			for tag, value := range want.Tags {
				if got := a.at("tags", tag); value != nil && got != *value || value == nil && got != nil {
					t.Errorf("%s, %s: tag %.20q is %.20q", name, at, tag, got)
				}
			}
		}
	}
}

func TestLimitsOfSecrets(t *testing.T) {
	c := unsealed(t).application(t, "secret-limits", everything)
	for n, status := range map[int]int{255: 200, 256: 400} {
		for _, body := range []string{`{"value":"x","contentType":"` + strings.Repeat("ü", n) + `"}`,
			`{"value":"x","contentType":"` + escaped(strings.Repeat("😀", n)) + `"}`} {
			if a := c.call("PUT", "/secrets/content", body); a.status != status {
				t.Errorf("a content type of %d: %d %.200s", n, a.status, a.body)
			}
		}
	}
	// Bytes count, not characters, and what was taken comes back byte for byte however it was escaped.
	for name, row := range map[string]struct {
		value  string
		status int
	}{
		"25,600 of one byte":   {strings.Repeat("a", 25600), 200},
		"25,601 of one byte":   {strings.Repeat("a", 25601), 400},
		"25,600 of two bytes":  {strings.Repeat("é", 12800), 200},
		"25,602 of two bytes":  {strings.Repeat("é", 12801), 400},
		"25,600 of four bytes": {strings.Repeat("😀", 6400), 200},
		"25,604 of four bytes": {strings.Repeat("😀", 6401), 400},
		"25,600 zeros":         {strings.Repeat("\x00", 25600), 200},
		"nothing":              {"", 200},
		"controls":             {"\x00\x01\x1f\x7f\u0080\u2028\u2029\ufeff\uffff\U0010ffff", 200},
		"JSON's own":           {`"\/` + "\b\f\n\r\t", 200},
	} {
		short, _ := json.Marshal(row.value)
		for spelling, text := range map[string]string{"as JSON has it": string(short),
			"all escaped": `"` + escaped(row.value) + `"`} {
			a := c.call("PUT", "/secrets/value", `{"value":`+text+`}`)
			if a.status != row.status {
				t.Errorf("%s, %s: %d %.200s", name, spelling, a.status, a.body)
				continue
			}
			if a.status != 200 {
				continue
			}
			got := c.ok("GET", "/secrets/value", "")
			if value, ok := got.json["value"].(string); !ok || value != row.value || got.body != a.body {
				t.Errorf("%s, %s: %.60q came back", name, spelling, value)
			}
		}
	}
}

// hold begins requests as uploads that stop after part, and gives what has them end with a
// quotation mark and a brace; each then gets status.
func (c *client) hold(method string, paths []string, part string, status int) (release func()) {
	c.t.Helper()
	var held sync.WaitGroup
	var writers []*io.PipeWriter
	for _, path := range paths {
		body, w := io.Pipe()
		writers = append(writers, w)
		held.Go(func() {
			if a := c.send(method, path, body); a.status != status {
				c.t.Errorf("%s %s that was held: %d %s", method, path, a.status, a.body)
			}
			body.Close()
		})
		if _, err := io.WriteString(w, part); err != nil { // returns when all of it was read
			c.t.Fatal(err)
		}
	}
	return func() {
		for _, w := range writers {
			io.WriteString(w, `"}`)
			w.Close()
		}
		held.Wait()
	}
}

func (c *client) send(method, path string, body io.Reader) answer {
	r := httptest.NewRequest(method, path+apiQuery, body)
	r.Host = c.host
	r.Header.Set("Authorization", "Bearer "+c.token)
	return c.s.serve(r)
}

// Two restores over a mebibyte may be read at once, one of an application, and no third; those that
// are held don't keep others from small ones.
func TestLargeRestoresInMemoryAreCounted(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "large-restores", everything)
	secretKind.make(c, "small", false)
	small := c.ok("POST", "/secrets/small/backup", "").body
	c.ok("DELETE", "/secrets/small", "")
	c.ok("DELETE", "/deletedsecrets/small", "")
	part := `{"value":"` + strings.Repeat("A", 2<<20)
	refused := func(what string, c *client) {
		for _, path := range []string{"/keys/restore", "/secrets/restore"} {
			if a := c.send("POST", path, strings.NewReader(part+`"}`)); a.status != 503 ||
				a.header.Get("Retry-After") != "1" || a.at("error", "code") != "ServiceUnavailable" {
				t.Errorf("%s: %d %s", what, a.status, a.body)
			}
		}
	}
	var releases []func()
	for i := range httpapi.MaxHuge {
		other := s.application(t, fmt.Sprint("large-restores-", i), everything)
		releases = append(releases,
			other.hold("POST", []string{[]string{"/keys/restore", "/secrets/restore"}[i%2]}, part, 400))
		refused("a second one of an application", other)
	}
	refused("one too many", c)
	c.ok("POST", "/secrets/restore", small)
	for _, release := range releases {
		release()
	}
	for range 2 {
		if a := c.send("POST", "/secrets/restore", strings.NewReader(part+`"}`)); a.status != 400 {
			t.Errorf("afterwards: %d %s", a.status, a.body)
		}
	}
	if a := c.send("POST", "/secrets/restore",
		strings.NewReader(`{"value":"`+strings.Repeat("A", 28<<20)+`"}`)); a.status != 413 {
		t.Errorf("over 28 MiB: %d %.200s", a.status, a.body)
	}
}

// Whoever may not do what a large body is for is refused before it is read, and takes nobody's
// place: with the verb's own refusal, recorded once.
func TestLargeBodiesOfWhoeverMayNot(t *testing.T) {
	s := unsealed(t)
	may := `{"keys":["get","sign"],"secrets":["get"]}`
	c := s.application(t, "may-not", may)
	part := `{"value":"` + strings.Repeat("A", 200<<10)
	s.usage.take()
	for _, row := range [][3]string{{"POST", "/keys/restore", "keys/restore"},
		{"POST", "/secrets/restore", "secrets/restore"}, {"PUT", "/secrets/s", "secrets/set"},
		{"PATCH", "/secrets/s", "secrets/update"}, {"PUT", "/keys/k", "keys/import"},
		{"PATCH", "/keys/k", "keys/update"}, {"POST", "/keys/k/create", "keys/create"}} {
		body, w := io.Pipe()
		go func() {
			io.WriteString(w, part)
			w.CloseWithError(errors.New("broken off")) // all of it was read
		}()
		a := c.send(row[0], row[1], body)
		body.Close()
		if a.status != 403 || a.at("error", "innererror", "code") != "ForbiddenByPolicy" {
			t.Errorf("%s %s: %d %s", row[0], row[1], a.status, a.body)
		}
		if operation := s.recordedAs(t, row[0]+" "+row[1], a); operation != row[2] {
			t.Errorf("%s %s is recorded as %v", row[0], row[1], operation)
		}
		if small := c.call(row[0], row[1], `{}`); small.status != 403 ||
			small.at("error", "message") != a.at("error", "message") {
			t.Errorf("%s %s, small: %d %s", row[0], row[1], small.status, small.body)
		}
		s.usage.take()
	}
	// What is allowed leaves one record too, the verb's.
	able := s.application(t, "may", everything)
	s.usage.take()
	a := able.send("PUT", "/secrets/s",
		strings.NewReader(`{"value":"x","more":"`+strings.Repeat("a", 200<<10)+`"}`))
	if operation := s.recordedAs(t, "a large secret", a); a.status != 200 ||
		operation != "secrets/set" {
		t.Errorf("%d %s, recorded as %v", a.status, a.body, operation)
	}
}

// A slowReader takes an answer when it is let.
type slowReader struct {
	httptest.ResponseRecorder
	reached, let chan struct{}
}

func (r *slowReader) Write(p []byte) (int, error) {
	close(r.reached)
	<-r.let
	return r.ResponseRecorder.Write(p)
}

// Large backups that nobody reads must not fill the memory: so many are held, and whoever wants one
// more waits, and is told so in the end.
func TestLargeBackupsInMemoryAreCounted(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "large-backups", everything)
	for range 3 {
		c.ok("PUT", "/secrets/large", `{"value":"`+strings.Repeat("a", 25600)+`"}`)
	}
	keyKind.make(c, "small", false)
	request := func(path string) *http.Request {
		r := httptest.NewRequest("POST", path+"/backup"+apiQuery, nil)
		r.Host = c.host
		r.Header.Set("Authorization", "Bearer "+c.token)
		return r
	}
	let := make(chan struct{})
	var held sync.WaitGroup
	for i := range httpapi.MaxBackups {
		w := &slowReader{*httptest.NewRecorder(), make(chan struct{}), let}
		held.Go(func() {
			if s.h.ServeHTTP(w, request("/secrets/large")); w.Code != 200 || w.Body.Len() < 75<<10 {
				t.Errorf("one that was held: %d, %d bytes", w.Code, w.Body.Len())
			}
		})
		<-w.reached
		if i+1 < httpapi.MaxBackups {
			for range 3 { // small ones leave no place taken
				c.ok("POST", "/keys/small/backup", "")
			}
		}
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if a := s.serve(request("/secrets/large").WithContext(gone)); a.status != 503 ||
		a.header.Get("Retry-After") != "1" || !strings.Contains(a.body, "Too many backups") {
		t.Errorf("one too many: %d %s", a.status, a.body)
	}
	close(let)
	held.Wait()
	c.ok("POST", "/secrets/large/backup", "")
}

// Bodies, JSON and sizes at the routes that came after the first ones.
func TestLimitsOfBodies(t *testing.T) {
	c := unsealed(t).application(t, "body-limits", everything)
	c.ok("POST", "/keys/k/create", `{"kty":"oct"}`)
	deep, many := strings.Repeat("[", 33)+strings.Repeat("]", 33), "["+strings.Repeat("0,", 999)+"0]"
	for _, row := range []struct {
		method, path, body string
		most               int
	}{
		{"PUT", "/keys/i", `"key":{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA"}`, 1 << 20},
		{"PUT", "/keys/k/rotationpolicy", `"attributes":{}`, 64 << 10},
		{"POST", "/keys/k/encrypt", `"alg":"A256GCM","value":"AAAA"`, 64 << 10},
		{"POST", "/keys/k/release", `"target":"x"`, 64 << 10},
		{"POST", "/rng", `"count":8`, 4 << 10}, {"POST", "/keys/restore", `"value":"AAAA"`, 28 << 20},
		{"POST", "/keys/n/create", `"kty":"EC"`, 1 << 20},
	} {
		plain := c.call(row.method, row.path, "{"+row.body+"}")
		strict := strings.HasSuffix(row.path, "/rotationpolicy") // unknown.go
		more := `,"more":"`
		if strict {
			more = `,"id":"`
		}
		fill := func(n int) string { // of n bytes in all
			filling := strings.Repeat("a", n-len(row.body)-len(more)-len(`{"}`))
			return "{" + row.body + more + filling + `"}`
		}
		if a := c.call(row.method, row.path, fill(min(row.most, 2<<20))); a.status != plain.status {
			t.Errorf("%s: %d bytes: %d %.200s", row.path, row.most, a.status, a.body)
		}
		if row.most <= 1<<20 {
			if a := c.call(row.method, row.path, fill(row.most+1)); a.status != 413 ||
				a.at("error", "code") != "RequestEntityTooLarge" {
				t.Errorf("%s: a byte more than %d: %d %.200s", row.path, row.most, a.status, a.body)
			}
		}
		for what, more := range map[string]string{"nested": deep, "members": many} {
			if a := c.call(row.method, row.path, "{"+row.body+`,"more":`+more+`}`); a.status != 400 &&
				!(row.most < len(more) && a.status == 413) {
				t.Errorf("%s: %s: %d %.200s", row.path, what, a.status, a.body)
			}
		}
		a := c.call(row.method, row.path, "{"+row.body+`,"unknown":{"a":[null,{}]},"kid":null}`)
		if strict && a.status != 400 || !strict && a.status != plain.status {
			t.Errorf("%s: unknown members: %d %.200s", row.path, a.status, a.body)
		}
	}
}

// Binary members are base64url; padding and the standard alphabet are taken too, and answers have
// neither.
func TestBase64IsReadLeniently(t *testing.T) {
	c := unsealed(t).application(t, "base64", everything)
	raw := []byte{0xfb, 0xff, 0xfe, 0x3f, 0xff, 0xef, 0xbe, 0xfb, 0xef, 0xbe, 0xfb, 0xff, 0xfe, 0x3f,
		0xff, 0xef} // all - and _
	for i, e := range []*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding, base64.StdEncoding,
		base64.RawStdEncoding} {
		text := e.EncodeToString(raw)
		name := fmt.Sprint("k", i)
		c.ok("PUT", "/keys/"+name, `{"key":{"kty":"oct","k":"`+text+`"}}`)
		out := c.ok("POST", "/keys/"+name+"/encrypt",
			`{"alg":"A128GCM","value":"`+text+`","aad":"`+text+`"}`)
		for _, member := range []string{"value", "iv", "tag", "aad"} {
			if strings.ContainsAny(out.text(member), "+/=") || out.text(member) == "" {
				t.Errorf("%s is %q", member, out.text(member))
			}
		}
		back := c.ok("POST", "/keys/"+name+"/decrypt",
			fmt.Sprintf(`{"alg":"A128GCM","value":"%s==","iv":"%s","tag":"%s==","aad":"%s"}`,
				strings.NewReplacer("-", "+", "_", "/").Replace(out.text("value")), out.text("iv"),
				out.text("tag"), text))
		if back.text("value") != base64.RawURLEncoding.EncodeToString(raw) {
			t.Errorf("%s comes back as %s", text, back.body)
		}
		blob := c.ok("POST", "/keys/"+name+"/backup", "").text("value")
		decoded, err := base64.RawURLEncoding.DecodeString(blob)
		if err != nil {
			t.Fatal(err)
		}
		c.ok("DELETE", "/keys/"+name, "")
		c.ok("DELETE", "/deletedkeys/"+name, "")
		c.ok("POST", "/keys/restore", `{"value":"`+e.EncodeToString(decoded)+`"}`)
	}
	for _, text := range []string{"A", "AA AA", `AA\nAA`, `AA\r\n`, "AA*A", "A===A", "é"} {
		for _, q := range [][2]string{{"/keys/k0/encrypt", `{"alg":"A128GCM","value":"%s"}`},
			{"/keys/restore", `{"value":"%s"}`}} {
			if a := c.call("POST", q[0], fmt.Sprintf(q[1], text)); a.status != 400 ||
				a.at("error", "code") != "BadParameter" {
				t.Errorf("%s with %q: %d %s", q[0], text, a.status, a.body)
			}
		}
	}
}

// Times are whole seconds, of any size and sign: what JavaScript makes of a date after 2038 is
// stored as it comes.
func TestTimesAreKeptAsTheyCome(t *testing.T) {
	c := unsealed(t).application(t, "times", everything)
	for _, k := range kinds {
		for _, pair := range [][2]string{{"-2147483648", "-1"}, {"0", "0"}, {"1", "9223372036854775807"},
			{"-9223372036854775808", "2147483648"}, {"4102444800", "4102444800"}} {
			body := strings.TrimSuffix(k.body, "}") + `,"attributes":{"nbf":` + pair[0] + `,"exp":` +
				pair[1] + `}}`
			c.ok(k.method, "/"+k.path+"/t"+k.suffix, body)
			for _, path := range []string{"/t", "", "/t/versions"} {
				if a := c.ok("GET", "/"+k.path+path, ""); !strings.Contains(a.body,
					`"nbf":`+pair[0]+`,"exp":`+pair[1]+`,"created":`) {
					t.Errorf("%s%s: %v came back as %s", k.path, path, pair, a.body)
				}
			}
		}
		for _, bad := range []string{`"1"`, `1.0`, `1e3`, `9223372036854775808`, `true`, `[]`} {
			body := strings.TrimSuffix(k.body, "}") + `,"attributes":{"exp":` + bad + `}}`
			if a := c.call(k.method, "/"+k.path+"/t"+k.suffix, body); a.status != 400 {
				t.Errorf("%s: exp %s: %d %s", k.path, bad, a.status, a.body)
			}
		}
	}
}
